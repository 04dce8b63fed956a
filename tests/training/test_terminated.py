"""SIGTERM: the step is finished, a checkpoint is written, and the run goes on from that very step (F12)."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from conftest import label_rows
from hatrack.training.checkpoint import latest_sealed
from hatrack.training.progress import LiveBar
from hatrack.training.stopping import StopAfterStep
from tiny_training import events_of, run_folder, train_and_register

# 12 steps an epoch, a checkpoint after each
RUN = {"epochs": 6, "batch_size": 4, "patience": 1000}
PLACES = {
    "in the first epoch": range(2, 12),  # the signal of step 1 comes before the loop has begun
    "at a checkpoint": range(12, 72, 12),
    "between two": [step for step in range(13, 72) if step % 12],
    "in the last step": [72],
}


@pytest.fixture(scope="module")
def undisturbed():
    """The digest of a run that nothing happened to."""
    return []


def terminate_at(monkeypatch, step):
    def on_step_begin(self, args, state, control, **kwargs):
        if state.global_step == step - 1:
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(LiveBar, "on_step_begin", on_step_begin)


@pytest.mark.parametrize("place", PLACES)
def test_F12_the_step_is_finished_and_kept(make_project, monkeypatch, undisturbed, drawn, place):
    step = drawn.choice(PLACES[place])
    whole, torn = (make_project("classify", label_rows(60), folder=folder, train=RUN, dropout=0.1) for folder in ("whole", "torn"))
    if not undisturbed:
        undisturbed.append(train_and_register(whole).digest)
    terminate_at(monkeypatch, step)
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt):
        train_and_register(torn)
    monkeypatch.undo()
    assert signal.getsignal(signal.SIGTERM) == before
    run = run_folder(torn)
    assert latest_sealed(run).name == f"checkpoint-{step}"
    seen = len(events_of(run))
    assert [train_and_register(torn).digest] == undisturbed, f"ended after step {step}"
    assert [event["step"] for event in events_of(run)[seen:]][:1] in ([], [step + 1], [step + 2], [step + 3])


def test_a_second_signal_ends_it_at_once():
    stop = StopAfterStep()
    stop.on_step_begin(None, None, None)
    with stop.listening():
        os.kill(os.getpid(), signal.SIGTERM)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGTERM)


def test_before_the_first_step_it_ends_at_once():
    with pytest.raises(KeyboardInterrupt), StopAfterStep().listening():
        os.kill(os.getpid(), signal.SIGTERM)


def test_in_another_thread_nothing_is_changed():
    seen = []

    def listen():
        with StopAfterStep().listening():
            seen.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=listen)
    thread.start()
    thread.join()
    assert seen == [signal.getsignal(signal.SIGTERM)]


def test_the_command_says_how_to_go_on(make_project):
    project = make_project("classify", label_rows(60), train={**RUN, "epochs": 500})
    command = [sys.executable, "-m", "hatrack", "train", "--project", str(project)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        deadline = time.monotonic() + 300
        while process.poll() is None and time.monotonic() < deadline:
            run = run_folder(project)
            if run is not None and events_of(run):
                break
            time.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=120)
    finally:
        process.kill()
    assert process.returncode == 130
    assert "goes on where it was when the same command is run again" in err
    assert "Traceback" not in err
    checkpoint = latest_sealed(run)
    assert json.loads((checkpoint / "trainer_state.json").read_text())["global_step"] >= 1
