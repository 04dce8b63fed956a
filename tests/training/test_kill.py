"""F12 with real processes: SIGKILL at a random step, or in the middle of a file of a checkpoint, then the same command again."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from pathlib import Path

import pytest
import torch
from transformers import TrainerState

from conftest import label_rows
from hatrack.cli.main import main
from hatrack.core.project import Project
from hatrack.registry.store import Registry
from hatrack.training import weights as weights_module
from hatrack.training.checkpoint import SEAL
from tiny_training import events_of, run_folder, train_and_register

# dropout draws random numbers in every step, so a resumed run must also have its generators back
RUN = {"epochs": 5, "batch_size": 4, "evals_per_epoch": 2, "patience": 1000, "learning_rate": 0.002}
STEPS = 5 * 12
EVERY = 6  # steps from a checkpoint to the next
WRITERS = {  # files of a checkpoint in the order in which they are written, and what writes them
    "trained.safetensors": (weights_module, "save_file"),
    "optimizer.pt": (torch, "save"),
    "trainer_state.json": (TrainerState, "save_to_json"),
}

# Each command is a process of its own, forked from a server that has imported the libraries and done nothing else.
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["hatrack.workflows.adapt", "transformers.models.llama", "transformers.models.bert", "peft"])


@pytest.fixture
def pair(make_project, finished):
    """The manifest of a run that was never interrupted, and a project of its own for one that will be."""

    def make(task):
        whole, torn = (make_project(task, label_rows(60), folder=folder, train=RUN, dropout=0.1) for folder in ("whole", "torn"))
        if task not in finished:
            finished[task] = train_and_register(whole)
        return finished[task], torn

    return make


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
def test_F12_killed_and_resumed_is_as_if_never_interrupted(pair, drawn, task):
    at = drawn.randrange(15, 45)
    expected, torn = pair(task)
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


def train_and_die(project, name, step, share):
    """Train in this process, which is killed when it has written this share of a file of the checkpoint of ``step``."""
    owner, function = WRITERS[name]
    write = getattr(owner, function)

    def write_a_part(content, target, *rest, **more):
        write(content, target, *rest, **more)
        path = Path(str(target))
        if path.parts[-2:] == (f"checkpoint-{step}", name):
            os.truncate(path, int(path.stat().st_size * share))  # files are written from their beginning
            os.kill(os.getpid(), signal.SIGKILL)

    setattr(owner, function, write_a_part)
    main(["train", "--project", str(project)])


@pytest.mark.parametrize("name", WRITERS)
def test_F12_killed_in_the_middle_of_a_file_of_a_checkpoint(pair, drawn, name):
    step, share = drawn.randrange(EVERY, STEPS + 1, EVERY), drawn.random()
    expected, torn = pair("classify-by-text")
    process = PROCESSES.Process(target=train_and_die, args=(torn, name, step, share))
    process.start()
    process.join(300)
    process.kill()
    assert process.exitcode == -signal.SIGKILL
    run = run_folder(torn)
    seen = len(events_of(run))
    assert (run / f"checkpoint-{step}" / name).is_file(), "killed elsewhere"
    assert not (run / f"checkpoint-{step}" / SEAL).exists()

    manifest = train_and_register(torn)
    assert events_of(run)[seen]["step"] > step - EVERY, "the checkpoint before was not used"
    assert manifest.digest == expected.digest, f"killed in the checkpoint of step {step}"
    assert manifest.training["steps"] == STEPS
