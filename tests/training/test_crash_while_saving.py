"""F12: a process that dies while it writes a checkpoint, before or behind any of its files, or with a part of one."""

from __future__ import annotations

import pytest

from hatrack.training import loop as loop_module
from hatrack.training.checkpoint import latest_sealed
from tiny_training import run_folder, train_and_register

# 6 steps an epoch, a checkpoint after every third; frozen states are kept, the adapter has dropout
RUN = {"epochs": 2, "batch_size": 8, "evals_per_epoch": 2, "patience": 9, "base_dropout": "off"}
STEPS = range(3, 13, 3)
PARTS = [  # in the order in which they are written
    "save_model",
    "_save_optimizer_and_scheduler",
    "_save_scaler",
    "_save_rng_state",
    "seal",
]


class Died(BaseException):
    """As a kill."""


@pytest.fixture
def pair(make_project, finished):
    """The digest of a run that nothing happened to, and a project of its own for one that dies."""

    def make(task):
        keys = {"train": RUN, "dropout": 0.1, "last_layers": 1}
        if task not in finished:
            finished[task] = train_and_register(make_project(task, folder="whole", **keys)).digest
        return finished[task], make_project(task, folder="torn", **keys)

    return make


def die(monkeypatch, part, step, *, behind):
    """At a part of writing the checkpoint of ``step``."""
    owner = loop_module if part == "seal" else loop_module.Loop
    real = getattr(owner, part)

    def dying(*args, **kwargs):
        place = str(args[-1]) if len(args) > (part != "seal") else str(kwargs)
        if behind:
            real(*args, **kwargs)
        if f"checkpoint-{step}" in place:
            raise Died
        return None if behind else real(*args, **kwargs)

    monkeypatch.setattr(owner, part, dying)


PLACES = [*((part, False, STEPS) for part in PARTS), ("save_model", True, STEPS), ("seal", True, STEPS)]


@pytest.mark.parametrize(("part", "behind", "steps"), PLACES)
def test_F12_died_between_two_files_of_a_checkpoint(pair, monkeypatch, drawn, part, behind, steps):
    step = drawn.choice(steps)
    expected, torn = pair("classify-by-text")
    die(monkeypatch, part, step, behind=behind)
    with pytest.raises(Died):
        train_and_register(torn)
    monkeypatch.undo()
    whole = latest_sealed(run_folder(torn))
    last = step if part == "seal" and behind else step - 3
    assert (whole.name if whole else "checkpoint-0") == f"checkpoint-{last}"
    assert train_and_register(torn).digest == expected, f"died in the checkpoint of step {step}"


def test_F12_the_last_whole_checkpoint_stays_until_the_next_is_sealed(make_project, monkeypatch):
    torn = make_project(train={**RUN, "learning_rate": 1e-12})  # nothing is learned: the best one is the first
    die(monkeypatch, "seal", 9, behind=False)
    with pytest.raises(Died):
        train_and_register(torn)
    assert latest_sealed(run_folder(torn)).name == "checkpoint-6"


@pytest.mark.parametrize("name", ["optimizer.pt", "rng_state.pth", "trainer_state.json", "complete.json"])
def test_F12_a_file_of_the_newest_checkpoint_lost_its_end(pair, monkeypatch, drawn, name):
    step = drawn.choice(STEPS)
    expected, torn = pair("classify")
    die(monkeypatch, "seal", step, behind=True)
    with pytest.raises(Died):
        train_and_register(torn)
    monkeypatch.undo()
    file = run_folder(torn) / f"checkpoint-{step}" / name
    content = file.read_bytes()
    file.write_bytes(content[: drawn.randrange(len(content))])
    assert train_and_register(torn).digest == expected, f"died in the checkpoint of step {step}"
