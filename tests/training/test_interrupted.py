"""F12 inside one process: training stopped at chosen places, then the same call again."""

from __future__ import annotations

import pytest
from safetensors.torch import load_file

from hatrack.training import loop as loop_module
from hatrack.training import run as run_module
from hatrack.training.progress import LiveBar
from tiny_training import events_of, run_folder, train_and_register

# 6 steps an epoch, a checkpoint after every third
RUN = {"epochs": 2, "batch_size": 8, "evals_per_epoch": 2, "patience": 9}
FOREVER = {"epochs": 30, "batch_size": 8, "evals_per_epoch": 2, "patience": 1, "learning_rate": 1.0}


class Stopped(BaseException):
    """Nothing in training catches it, as nothing catches a kill."""


@pytest.fixture
def stop_at_step(monkeypatch):
    def arm(step):
        def on_step_end(self, args, state, control, **kwargs):
            if state.global_step == step:
                raise Stopped

        monkeypatch.setattr(LiveBar, "on_step_end", on_step_end)

    return arm


def stop_in(monkeypatch, owner, name, when=lambda *args: True):
    real = getattr(owner, name)

    def stopping(*args, **kwargs):
        if when(*args):
            raise Stopped
        return real(*args, **kwargs)

    monkeypatch.setattr(owner, name, stopping)


def interrupted(project, monkeypatch):
    with pytest.raises(Stopped):
        train_and_register(project)
    monkeypatch.undo()
    return run_folder(project)


@pytest.fixture
def pair(make_project, finished):
    """The manifest of a run that was never interrupted, and a project of its own for one that will be."""

    def make(task="classify-by-text", **train):
        settings = {**RUN, **train}
        key = (task, *settings.items())
        if key not in finished:
            finished[key] = train_and_register(make_project(task, folder="whole", train=settings, dropout=0.1))
        return finished[key], make_project(task, folder="torn", train=settings, dropout=0.1)

    return make


@pytest.mark.parametrize(("task", "ema"), [("classify", 0), ("classify", 0.9), ("classify-by-text", 0)])
@pytest.mark.parametrize("step", [2, 5, 8, 12])
def test_F12_stopped_in_any_step_and_run_again(pair, stop_at_step, monkeypatch, task, ema, step):
    whole, torn = pair(task, ema=ema)
    stop_at_step(step)
    run = interrupted(torn, monkeypatch)
    seen = len(events_of(run))
    assert train_and_register(torn).digest == whole.digest
    sealed = max(0, (step - 1) // 3 * 3)
    assert events_of(run)[seen]["step"] == sealed + 1


@pytest.mark.parametrize("step", [3, 6, 12])
def test_F12_stopped_while_a_checkpoint_is_written(pair, monkeypatch, step):
    whole, torn = pair()
    stop_in(monkeypatch, loop_module, "seal", lambda folder: folder.name == f"checkpoint-{step}")
    run = interrupted(torn, monkeypatch)
    assert (run / f"checkpoint-{step}").is_dir()
    assert train_and_register(torn).digest == whole.digest


def test_F12_a_checkpoint_that_lost_bytes_is_passed_over(pair, stop_at_step, monkeypatch):
    whole, torn = pair()
    stop_at_step(8)
    run = interrupted(torn, monkeypatch)
    weights = run / "checkpoint-6" / "trained.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    assert train_and_register(torn).digest == whole.digest


@pytest.mark.parametrize("epochs", [2, 1.5])
def test_F12_stopped_after_the_last_step(pair, monkeypatch, epochs):
    expected, torn = pair(epochs=epochs)
    stop_in(monkeypatch, run_module, "write_probe")
    interrupted(torn, monkeypatch)
    again = train_and_register(torn)
    assert again.digest == expected.digest
    assert again.training["steps"] == expected.training["steps"] == epochs * 6


def test_F12_stopped_after_early_stopping_trains_no_further(pair, monkeypatch):
    expected, torn = pair(**FOREVER)
    assert expected.training["steps"] < 30 * 6, "it must have stopped early"
    stop_in(monkeypatch, run_module, "write_probe")
    interrupted(torn, monkeypatch)
    again = train_and_register(torn)
    assert again.training["steps"] == expected.training["steps"]
    assert again.digest == expected.digest


def test_F12_a_resumed_run_remembers_how_long_it_waited(pair, stop_at_step, monkeypatch):
    expected, torn = pair(**{**FOREVER, "patience": 3})
    steps = int(expected.training["steps"])
    assert steps < 30 * 6, "it must have stopped early"
    stop_at_step(steps - 1)  # two validations without a lower loss lie in the checkpoint
    interrupted(torn, monkeypatch)
    again = train_and_register(torn)
    assert again.training["steps"] == steps
    assert again.digest == expected.digest


def test_F12_a_project_that_was_moved_in_between(pair, stop_at_step, monkeypatch):
    expected, torn = pair(**{**FOREVER, "patience": 3})
    stop_at_step(int(expected.training["steps"]) - 1)
    interrupted(torn, monkeypatch)
    moved = torn.rename(torn.with_name("moved"))
    assert train_and_register(moved).digest == expected.digest


def test_checkpoints_hold_only_what_is_trained(pair, stop_at_step, monkeypatch):
    _, torn = pair()
    stop_at_step(5)
    run = interrupted(torn, monkeypatch)
    names = list(load_file(run / "checkpoint-3" / "trained.safetensors"))
    assert names
    assert all("lora_" in name for name in names)
    assert not (run / "checkpoint-3" / "training_args.bin").exists()
