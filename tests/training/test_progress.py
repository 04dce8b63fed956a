from __future__ import annotations

import io
from types import SimpleNamespace

from rich.console import Console

from hatrack.training.curves import read_events
from hatrack.training.progress import EventLog, LiveBar
from tiny_training import open_pieces


def state(step=3):
    return SimpleNamespace(global_step=step, max_steps=10, epoch=0.51)


def test_on_a_screen_that_cannot_redraw_each_validation_is_one_line(make_project):
    console = Console(file=io.StringIO(), width=200)
    open_pieces(make_project("classify-by-text")).train(console)
    lines = [line for line in console.file.getvalue().splitlines() if "validation" in line]
    assert [line.split(",")[0] for line in lines] == ["first: step 6 of 12", "first: step 12 of 12"]


def test_on_a_terminal_a_bar_shows_step_loss_and_time_left():
    console = Console(file=io.StringIO(), width=160, force_terminal=True)
    bar = LiveBar("legal", console)
    bar.on_train_begin(None, state(), None)
    bar.on_log(None, state(), None, logs={"loss": 1.5})
    bar.on_log(None, state(), None, logs={"eval_loss": 1.25})
    bar.on_step_end(None, state(4), None)
    bar.on_train_end(None, state(), None)
    shown = console.file.getvalue()
    for part in ("legal", "4/10", "loss 1.500", "validation 1.250", "left"):
        assert part in shown


def test_the_screen_is_given_back_after_an_error_and_closing_twice_is_fine():
    console = Console(file=io.StringIO(), width=160, force_terminal=True)
    bar = LiveBar("legal", console)
    bar.on_train_begin(None, state(), None)
    bar.close()
    assert console.file.getvalue().endswith("\x1b[?25h"), "the cursor is shown again"
    bar.close()


def test_only_figures_of_training_are_logged(tmp_path):
    log = EventLog(tmp_path)
    log.on_log(None, state(), None, logs={"train_runtime": 3.0, "total_flos": 0})
    assert not (tmp_path / "events.jsonl").exists()
    log.on_log(None, state(), None, logs={"loss": 1.0, "grad_norm": 2.0, "learning_rate": 0.1, "train_runtime": 3.0})
    [event] = read_events(tmp_path)
    assert event.keys() == {"step", "epoch", "seconds", "loss", "grad_norm", "learning_rate"}
    assert event["step"] == 3
    assert event["epoch"] == 0.51
