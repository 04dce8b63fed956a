"""F12 with real processes: SIGKILL at a random step, then the same command again."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time

import pytest

from conftest import label_rows
from hatrack.training.checkpoint import SEAL
from tiny_training import events_of, run_folder, train_and_register

# dropout draws random numbers in every step, so a resumed run must also have its generators back
RUN = {"epochs": 12, "batch_size": 4, "evals_per_epoch": 2, "patience": 1000, "learning_rate": 0.002}
STEPS = 12 * 12


def command(project):
    return [sys.executable, "-m", "hatrack", "train", "--json", "--project", str(project)]


def killed(project, at):
    """Start training and kill the process when step ``at`` was logged."""
    process = subprocess.Popen(command(project), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        deadline = time.monotonic() + 300
        while process.poll() is None and time.monotonic() < deadline:
            run = run_folder(project)
            if run is not None and any(event["step"] >= at for event in events_of(run)):
                break
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
        out, err = process.communicate()
    finally:
        process.kill()
    assert process.returncode == -signal.SIGKILL, (process.returncode, out, err)
    return run


@pytest.mark.parametrize("task", ["classify", "classify-by-text"])
def test_F12_killed_and_resumed_is_as_if_never_interrupted(make_project, task):
    at = random.randrange(15, 100)
    whole, torn = (make_project(task, label_rows(60), folder=folder, train=RUN, dropout=0.1) for folder in ("whole", "torn"))
    expected = train_and_register(whole)
    assert expected.training["steps"] == STEPS

    run = killed(torn, at)
    before = events_of(run)
    sealed = [int(path.parent.name.rpartition("-")[2]) for path in run.glob(f"checkpoint-*/{SEAL}")]
    assert sealed, "killed before the first checkpoint"
    assert not (run / "adapter").exists(), "killed after the end"

    resumed = subprocess.run(command(torn), capture_output=True, text=True, env=os.environ, check=False)
    assert resumed.returncode == 0, resumed.stderr
    [manifest] = json.loads(resumed.stdout)
    after = events_of(run)[len(before) :]
    assert after[0]["step"] > 1, "began anew"
    assert after[0]["step"] > min(sealed)
    assert manifest["digest"] == expected.digest, f"killed when step {at} was logged"
    assert manifest["training"]["steps"] == STEPS
    assert manifest["training"]["best_validation_loss"] == expected.training["best_validation_loss"]
