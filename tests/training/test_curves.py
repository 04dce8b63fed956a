from __future__ import annotations

import json
import struct
import zlib

from hatrack.core.run_folder import EVENTS, read_events
from hatrack.training.curves import CURVES, draw_curves
from tiny_training import events_of, train


def write_events(run, *events, tail=""):
    (run / EVENTS).write_text("".join(json.dumps(event) + "\n" for event in events) + tail)


def test_a_run_writes_events_and_a_picture_of_its_losses(make_project):
    run = train(make_project("classify-by-text")).run
    events = read_events(run)
    assert [event["step"] for event in events if "loss" in event] == list(range(1, 13))
    assert [event["step"] for event in events if "eval_loss" in event] == [6, 12]
    assert all(event["learning_rate"] >= 0 and event["grad_norm"] > 0 for event in events if "loss" in event)
    assert all(0 < event["epoch"] <= 2 and event["seconds"] >= 0 for event in events)
    assert events_of(run) == sorted(events, key=lambda event: (event["step"], "eval_loss" in event))
    check_png(run / CURVES)


def check_png(path):
    content = path.read_bytes()
    assert content[:8] == b"\x89PNG\r\n\x1a\n"
    assert content[12:16] == b"IHDR"
    width, height = struct.unpack(">II", content[16:24])
    assert width >= 600
    assert height >= 300
    assert struct.unpack(">I", content[29:33])[0] == zlib.crc32(content[12:29])
    assert content[-8:-4] == b"IEND"


def test_after_a_resume_the_later_entry_of_a_step_counts(tmp_path):
    write_events(
        tmp_path,
        {"step": 1, "loss": 3.0},
        {"step": 2, "loss": 2.0},
        {"step": 2, "eval_loss": 9.0},
        {"step": 3, "loss": 1.0},
        {"step": 2, "loss": 2.5},
        {"step": 2, "eval_loss": 8.0},
    )
    assert read_events(tmp_path) == [
        {"step": 1, "loss": 3.0},
        {"step": 2, "loss": 2.5},
        {"step": 2, "eval_loss": 8.0},
        {"step": 3, "loss": 1.0},
    ]


def test_F12_a_line_torn_by_a_kill_costs_that_line_only(tmp_path):
    write_events(tmp_path, {"step": 1, "loss": 3.0}, tail='{"step": 2, "lo{"step": 2, "loss": 2.0}\n{"step": 3, "loss": 1.0}\n{"st')
    assert read_events(tmp_path) == [{"step": 1, "loss": 3.0}, {"step": 3, "loss": 1.0}]


def test_the_kept_point_is_the_lowest_validation(tmp_path, monkeypatch):
    from matplotlib.axes import Axes

    noted = []
    real = Axes.annotate
    monkeypatch.setattr(Axes, "annotate", lambda self, text, *args, **kw: noted.append((text, args[0])) or real(self, text, *args, **kw))
    write_events(tmp_path, {"step": 5, "eval_loss": 2.0}, {"step": 10, "eval_loss": 1.25}, {"step": 15, "eval_loss": 1.5})
    check_png(draw_curves(tmp_path, "title"))
    assert noted == [("kept: 1.250", (10, 1.25))]
