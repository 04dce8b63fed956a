"""`hatrack train --provider openai` against a provider on loopback: what is sent, what is kept, and that nothing is paid twice."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import pytest

from conftest import label_rows
from hatrack.core.project import Project
from hatrack.registry.store import Registry
from hosted_project import MODEL, hosted_project, ledger, run_folder, set_provider
from provider_server import KEY, Fault, provider_server

TRAIN = ("train", "colours", "--provider", "openai")
JOBS = "/v1/fine_tuning/jobs"


@pytest.fixture
def server():
    with provider_server() as running:
        yield running


@pytest.fixture
def root(tmp_path, tiny_causal, server, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    return hosted_project(tmp_path / "project", tiny_causal, server)


def versions(root):
    return Registry(Project(root)).versions("colours")


def test_rows_go_up_a_job_runs_and_a_version_with_its_weights_elsewhere_is_registered(hatrack, root, server):
    ran = hatrack(*TRAIN, project=root)
    assert ran.code == 0, ran.err
    [manifest] = versions(root)
    assert manifest.hosted.model_dump(exclude={"data_digest", "base_url"}) == {
        "kind": "hatrack.hosted/1",
        "provider": "openai",
        "api_key_env": "OPENAI_API_KEY",
        "base_model": MODEL,
        "model": f"ft:{MODEL}:org:ftjob-1",
        "job": "ftjob-1",
        "hyperparameters": {"n_epochs": 2, "batch_size": 1, "learning_rate_multiplier": 1.8},
        "trained_tokens": 4321,
        "sampling": True,
        "checkpoints": {"10": "ft:ftjob-1:step-10", "20": "ft:ftjob-1:step-20"},
    }
    assert manifest.hosted.base_url == server.base_url
    assert manifest.hosted.data_digest == manifest.data.digest
    assert set(manifest.files) == {"hatrack.json", "hosted.json"}
    assert manifest.training == {"seconds": 60.0, "trained_tokens": 4321.0}
    assert f"ft:{MODEL}:org:ftjob-1" in ran.out
    [asked] = [one.body for one in server.asked if one.path == JOBS and one.method == "POST"]
    assert asked["method"] == {"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": 2}}}
    assert (asked["model"], asked["training_file"], asked["validation_file"]) == (MODEL, "file-1", "file-2")
    rows = [json.loads(line) for line in server.files["file-1"].splitlines()]
    assert len(rows) == manifest.data.rows["train"]
    assert [message["role"] for message in rows[0]["messages"]] == ["system", "user", "assistant"]


def test_what_leaves_the_machine_is_said_before_it_does(hatrack, root, server):
    server.faults = [Fault("/files", status=400)]
    ran = hatrack(*TRAIN, project=root)
    assert ran.code == 2
    before, _, after = ran.err.partition("Error:")
    size = next(run_folder(root).glob("colours-train.jsonl")).stat().st_size
    assert f"goes to {server.base_url.split('/')[2]}, to fine-tune {MODEL} (supervised)" in before
    assert f"train: 90 rows, {size:,} bytes, about " in before
    assert "validation: 15 rows" in before
    assert "epochs: 2, so about " in before
    assert "personal data: none found by the recogniser patterns" in before
    assert "refuses the upload of colours-train.jsonl" in after
    assert not server.files


def test_a_finished_job_is_not_paid_again_and_needs_no_network(hatrack, root, server):
    assert hatrack(*TRAIN, project=root).code == 0
    before = len(server.asked)
    ran = hatrack(*TRAIN, project=root)
    assert ran.code == 0
    assert "ftjob-1) is finished already" in ran.err
    assert len(server.asked) == before
    assert len(versions(root)) == 1


def test_again_pays_for_a_new_job_and_a_new_version(hatrack, root, server):
    hatrack(*TRAIN, project=root)
    assert hatrack(*TRAIN, "--again", project=root).code == 0
    assert [m.hosted.job for m in versions(root)] == ["ftjob-1", "ftjob-2"]
    assert [m.version for m in versions(root)] == ["1.0.0", "1.0.1"]


def test_other_settings_are_another_job(hatrack, root, server):
    hatrack(*TRAIN, project=root)
    set_provider(root, epochs=4)
    assert hatrack(*TRAIN, project=root).code == 0
    assert len(server.jobs) == 2


def test_a_killed_follow_up_is_taken_up_by_the_same_command(hatrack, root, server):
    server.way = ("queued", "running")
    command = [sys.executable, "-m", "hatrack", *TRAIN, "--project", str(root)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=os.environ)
    try:
        assert server.running.wait(60)
        process.send_signal(signal.SIGKILL)
        process.wait()
    finally:
        process.kill()
    assert ledger(root)["job"] == "ftjob-1"
    server.ways["ftjob-1"] = ["running", "succeeded"]
    ran = hatrack(*TRAIN, project=root)
    assert ran.code == 0
    assert "it is followed, no second one is started" in ran.err
    assert server.count("POST", JOBS) == 1
    assert server.count("POST", "/v1/files") == 2


def test_the_job_is_on_disk_before_it_is_looked_at(hatrack, root, server):
    real, known = server.answer, []

    def answer(method, path, query, body):
        if path == f"{JOBS}/ftjob-1":
            known.append(ledger(root)["job"])
        return real(method, path, query, body)

    server.answer = answer
    assert hatrack(*TRAIN, project=root).code == 0
    assert known[0] == "ftjob-1"


def test_a_kill_between_the_start_and_its_record_starts_no_second_job(hatrack, root, server):
    hatrack(*TRAIN, project=root)
    run = run_folder(root)
    for path in (run / "adapter").iterdir():
        path.unlink()
    (run / "adapter").rmdir()
    (run / "job.json").write_text(json.dumps({**ledger(root), "job": None, "status": ""}))
    server.jobs["ftjob-0"] = {**server.jobs["ftjob-1"], "id": "ftjob-0", "training_file": "file-0"}  # somebody else's, newer
    assert hatrack(*TRAIN, project=root).code == 0
    assert server.count("POST", JOBS) == 1


@pytest.mark.parametrize("fault", [{"drop": True}, {"status": 500}])
def test_a_start_whose_answer_is_lost_is_looked_up_and_not_repeated(hatrack, root, server, fault):
    server.faults = [Fault("/jobs", before=False, **fault)]
    ran = hatrack(*TRAIN, project=root)
    assert ran.code == 0, ran.err
    assert server.count("POST", JOBS) == 1
    assert len(server.jobs) == 1


def test_a_start_that_failed_is_not_repeated_in_the_same_run_and_is_in_the_next(hatrack, root, server):
    server.faults = [Fault("/jobs", status=503)]
    ran = hatrack(*TRAIN, project=root)
    assert ran.code == 2
    assert "run the same command again" in ran.err
    assert server.count("POST", JOBS) == 1
    assert hatrack(*TRAIN, project=root).code == 0
    assert len(server.jobs) == 1
    assert len(server.files) == 2


def test_429_is_waited_for_as_long_as_it_says(hatrack, root, server, monkeypatch):
    waited = []
    monkeypatch.setattr("hatrack.training.providers.openai.time.sleep", waited.append)
    server.faults = [Fault("/jobs", status=429, headers={"Retry-After": "7"})]
    assert hatrack(*TRAIN, project=root).code == 0
    assert 7.0 in waited
    assert len(server.jobs) == 1


def test_429_for_want_of_money_is_not_waited_for(hatrack, root, server):
    server.faults = [Fault("/jobs", status=429, code="insufficient_quota", message="You exceeded your current quota")]
    ran = hatrack(*TRAIN, project=root)
    assert ran.code == 2
    assert "You exceeded your current quota" in ran.err
    assert server.count("POST", JOBS) == 1


def test_a_provider_that_is_silent_for_a_while_loses_nothing(hatrack, root, server, monkeypatch):
    monkeypatch.setattr("openai._base_client.BaseClient._calculate_retry_timeout", lambda *args: 0.01)
    silent = [Fault("/ftjob-1", status=500)] * 4 + [Fault("/events", drop=True)] * 4
    server.faults = [*silent, Fault("/files", slow=0.2), Fault("/files", status=500, headers={"Retry-After": "0.01"})]
    ran = hatrack(*TRAIN, project=root)
    assert ran.code == 0, ran.err
    assert "looking again" in ran.err
    assert server.count("POST", JOBS) == 1
    assert len(server.files) == 2


def test_what_the_provider_tells_is_shown_once(hatrack, root, server):
    ran = hatrack(*TRAIN, project=root)
    for line in ("Step 1/10: training loss=1.25", "job ftjob-1: validating_files", "job ftjob-1: running", "job ftjob-1: succeeded"):
        assert ran.err.count(line) == 1, line


def test_a_failed_job_says_why_and_is_not_started_again_unasked(hatrack, root, server):
    server.way = ("running", "failed")
    first, second = hatrack(*TRAIN, project=root), hatrack(*TRAIN, project=root)
    for ran in (first, second):
        assert ran.code == 2
        assert "the file holds rows that are not allowed" in ran.err
    assert len(server.jobs) == 1
    server.way = ("succeeded",)
    assert hatrack(*TRAIN, "--again", project=root).code == 0
    assert len(server.jobs) == 2


def test_ctrl_c_leaves_the_job_running_and_says_how_to_go_on(hatrack, root, server, monkeypatch):
    server.way = ("running",)

    def interrupt(seconds):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("hatrack.training.hosted.follow.time.sleep", interrupt)
        ran = hatrack(*TRAIN, project=root)
    assert ran.code == 130
    assert "job ftjob-1 goes on" in ran.err
    assert "hatrack train colours --provider openai --cancel" in ran.err
    assert server.jobs["ftjob-1"]["status"] == "running"
    # and --again does not pay for a second one beside it
    refused = hatrack(*TRAIN, "--again", project=root)
    assert refused.code == 2
    assert "still running" in refused.err
    assert len(server.jobs) == 1


def test_cancel_ends_the_job(hatrack, root, server, monkeypatch):
    server.way = ("running",)
    monkeypatch.setattr("hatrack.training.hosted.follow.time.sleep", lambda seconds: (_ for _ in ()).throw(KeyboardInterrupt))
    hatrack(*TRAIN, project=root)
    ran = hatrack(*TRAIN, "--cancel", project=root)
    assert (ran.code, ran.out) == (0, "colours: job ftjob-1 is cancelled\n")
    assert server.jobs["ftjob-1"]["status"] == "cancelled"
    assert "was cancelled" in hatrack(*TRAIN, project=root).err
    assert hatrack(*TRAIN, "--cancel", project=root).code == 2


def test_the_key_is_never_shown_or_stored(hatrack, root, server, monkeypatch):
    ran = hatrack(*TRAIN, project=root)
    wrong = "sk-wrong-0987654321"
    monkeypatch.setenv("OPENAI_API_KEY", wrong)
    refused = hatrack(*TRAIN, "--again", project=root)
    assert refused.code == 2
    assert "Incorrect API key provided: ***" in refused.err  # the server quotes it
    files = [path for path in root.rglob("*") if path.is_file()]
    assert len(files) > 10
    for key in (KEY, wrong):
        assert key not in ran.err + ran.out + refused.err
        assert not [path for path in files if key.encode() in path.read_bytes()]


def test_a_redirect_to_another_host_is_not_followed(hatrack, root, server):
    with provider_server() as other:
        server.faults = [Fault("/files", status=307, headers={"Location": f"{other.base_url}/files"})]
        assert hatrack(*TRAIN, project=root).code == 2
        assert other.asked == []


MAILS = [{**row, "text": f"{row['text']} from jane{i}@example.org"} for i, row in enumerate(label_rows(150))]


def test_personal_data_is_refused_before_anything_is_sent_unless_masked_or_allowed(hatrack, tmp_path, tiny_causal, server, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    for mode in ("report", "off"):
        root = hosted_project(tmp_path / mode, tiny_causal, server, MAILS, prepare={"pii": {"mode": mode}})
        ran = hatrack(*TRAIN, project=root)
        assert ran.code == 2
        assert "personal data may leave this machine" in ran.err
        assert server.asked == []
    set_provider(root, personal_data="send")
    assert hatrack(*TRAIN, project=root).code == 0
    assert b"jane1@" in server.files["file-1"]
    masked = hosted_project(tmp_path / "masked", tiny_causal, server, MAILS, prepare={"pii": {"mode": "mask"}})
    ran = hatrack(*TRAIN, project=masked)
    assert ran.code == 0
    assert "EMAIL_ADDRESS in 150 rows; masked" in ran.err
    assert b"@" not in server.files["file-3"] + server.files["file-4"]


def test_pairs_are_preferred_by_dpo(hatrack, tmp_path, tiny_causal, server, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    pairs = [{"prompt": row["text"], "chosen": row["label"], "rejected": "lamp"} for row in label_rows(100)]
    root = hosted_project(tmp_path / "pairs", tiny_causal, server, pairs, task="prefer", system=None, preference={"beta": 0.3})
    assert hatrack(*TRAIN, project=root).code == 0
    [asked] = [one.body for one in server.asked if one.path == JOBS and one.method == "POST"]
    assert asked["method"] == {"type": "dpo", "dpo": {"hyperparameters": {"n_epochs": 2, "beta": 0.3}}}
    assert set(json.loads(server.files["file-1"].splitlines()[0])) == {"input", "preferred_output", "non_preferred_output"}
    refused = hatrack("eval", "colours", project=root)
    assert refused.code == 2
    assert "log-probability of given texts" in refused.err
