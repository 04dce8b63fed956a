from __future__ import annotations

import io
from types import SimpleNamespace

from rich.console import Console

from hatrack.core.run_folder import read_events
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
    console = Console(file=io.StringIO(), width=200, force_terminal=True)
    bar = LiveBar("legal", console)
    bar.on_train_begin(None, state(), None)
    bar.on_log(None, state(), None, logs={"loss": 1.5, "learning_rate": 0.00123, "grad_norm": 0.456, "tokens_per_second": 1234.5})
    bar.on_log(None, state(), None, logs={"eval_loss": 1.25})
    bar.on_step_end(None, state(4), None)
    bar.on_train_end(None, state(), None)
    shown = console.file.getvalue()
    for part in ("legal", "4/10", "loss 1.500", "validation 1.250", "rate 0.0012", "gradient 0.46", "1,234 tokens/s", "left"):
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


def test_events_tell_speed_and_time_left(make_project):
    trained = open_pieces(make_project("classify-by-text", train={"epochs": 3})).train()
    events = [event for event in read_events(trained.run) if "loss" in event]
    for event in events:
        assert event.keys() >= {"loss", "learning_rate", "grad_norm", "tokens_per_second", "seconds_left"}
        assert event["tokens_per_second"] > 0
    assert events[0]["seconds_left"] > events[-1]["seconds_left"] == 0


def test_before_the_first_step_the_rows_through_the_frozen_blocks_are_counted():
    console = Console(file=io.StringIO(), width=160, force_terminal=True)
    bar = LiveBar("legal", console)
    bar.before(3, 10)
    bar.before(7, 10)
    shown = console.file.getvalue()
    assert "10/10" in shown
    assert "rows through the frozen blocks" in shown
    bar.on_train_begin(None, state(), None)
    bar.close()
    assert "3/10" in console.file.getvalue()
