"""A sweep whose process is killed: the same command goes on and repeats nothing that was finished."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time

from conftest import label_rows

RUN = {"epochs": 1.5, "batch_size": 2}  # 36 steps: rungs of 12 and 36
SPACE = {"methods": ["lora", "ia3"], "ranks": [4], "rates": [1, 3], "rungs": 2, "trials": 3}


def command(project):
    return [sys.executable, "-m", "hatrack", "train", "first", "--sweep", "--json", "--project", str(project)]


def without_seconds(result):
    for trial in result["trials"]:
        for outcome in trial["rungs"]:
            outcome.pop("seconds")
    return result


def killed(project):
    """Start a sweep and kill it in its third trial; the records that were finished by then."""
    runs = project / ".hatrack" / "runs"
    process = subprocess.Popen(command(project), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        deadline = time.monotonic() + 120
        while process.poll() is None and time.monotonic() < deadline and not list(runs.glob("first#3-*/events.jsonl")):
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        out, err = process.communicate()
    finally:
        process.kill()
    assert process.returncode == -signal.SIGKILL, (process.returncode, out, err)
    return {path: path.stat().st_mtime_ns for path in runs.glob("first#sweep/trials/*.json")}


def test_F12_killed_and_resumed_is_as_if_never_interrupted(make_project, hatrack):
    whole, torn = (make_project("classify", label_rows(60), folder=folder, train=RUN, sweep=SPACE) for folder in ("whole", "torn"))
    [expected] = json.loads(hatrack("train", "first", "--sweep", "--json", project=whole).out)

    finished = killed(torn)
    assert len(finished) == 2
    resumed = subprocess.run(command(torn), capture_output=True, text=True, check=False)
    assert resumed.returncode == 0, resumed.stderr

    assert {path: path.stat().st_mtime_ns for path in finished} == finished
    log = (torn / ".hatrack" / "runs" / "first#sweep" / "log.txt").read_text(encoding="utf-8")
    begun = [sum(line.startswith(f"first#{number}: training") for line in log.splitlines()) for number in (1, 2, 3)]
    assert begun[:2] == [1, 1], "a finished trial was trained again"
    [after] = json.loads(resumed.stdout)
    before, after = without_seconds(expected), without_seconds(after)
    assert after["trials"] == before["trials"]
    assert after["chosen"] == before["chosen"]
    assert after["manifest"]["digest"] == before["manifest"]["digest"]
