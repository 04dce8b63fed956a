"""F12 with real processes: SIGKILL at a random step, then the same command again."""

from __future__ import annotations

import multiprocessing
import random
import signal
import time

import pytest

from conftest import label_rows
from hatrack.cli.main import main
from hatrack.core.project import Project
from hatrack.registry.store import Registry
from hatrack.training.checkpoint import SEAL
from tiny_training import events_of, run_folder, train_and_register

# dropout draws random numbers in every step, so a resumed run must also have its generators back
RUN = {"epochs": 5, "batch_size": 4, "evals_per_epoch": 2, "patience": 1000, "learning_rate": 0.002}
STEPS = 5 * 12

# Each command is a process of its own, forked from a server that has imported the libraries and done nothing else.
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["hatrack.workflows.adapt", "transformers.models.llama", "transformers.models.bert", "peft"])


def started(project):
    process = PROCESSES.Process(target=main, args=(["train", "--project", str(project)],))
    process.start()
    return process


def killed(project, at):
    """Start training and kill the process when step ``at`` was logged."""
    process = started(project)
    try:
        deadline = time.monotonic() + 300
        while process.is_alive() and time.monotonic() < deadline:
            run = run_folder(project)
            if run is not None and any(event["step"] >= at for event in events_of(run)):
                break
            time.sleep(0.002)
    finally:
        process.kill()
        process.join()
    assert process.exitcode == -signal.SIGKILL
    return run


@pytest.mark.parametrize("task", ["classify", "classify-by-text"])
def test_F12_killed_and_resumed_is_as_if_never_interrupted(make_project, task):
    at = random.randrange(15, 45)
    whole, torn = (make_project(task, label_rows(60), folder=folder, train=RUN, dropout=0.1) for folder in ("whole", "torn"))
    expected = train_and_register(whole)
    assert expected.training["steps"] == STEPS

    run = killed(torn, at)
    before = events_of(run)
    sealed = [int(path.parent.name.rpartition("-")[2]) for path in run.glob(f"checkpoint-*/{SEAL}")]
    assert sealed, "killed before the first checkpoint"
    assert not (run / "adapter").exists(), "killed after the end"

    resumed = started(torn)
    resumed.join(300)
    assert resumed.exitcode == 0
    manifest = Registry(Project(torn)).resolve("first")
    after = events_of(run)[len(before) :]
    assert after[0]["step"] > 1, "began anew"
    assert after[0]["step"] > min(sealed)
    assert manifest.digest == expected.digest, f"killed when step {at} was logged"
    assert manifest.training["steps"] == STEPS
    assert manifest.training["best_validation_loss"] == expected.training["best_validation_loss"]
