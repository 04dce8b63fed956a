"""Runs: the page of one with its losses and its settings, and where several differ."""

from __future__ import annotations

import json
import re

import pytest

from hatrack.core.run_folder import SETTINGS
from hatrack.studio.settings import differing
from projects import copy_of, trained_encoder
from studio_server import opened


@pytest.fixture
def at(tiny_encoder, tmp_path):
    with opened(copy_of(trained_encoder(tiny_encoder), tmp_path)) as at:
        yield at


def folder_of(at):
    [folder] = [path.parent for path in at.studio.project.runs.glob("*/events.jsonl")]
    return folder


def test_a_run_shows_its_losses_beside_what_it_was_trained_with(at):
    key = folder_of(at).name
    assert f'href="/runs/{key}"' in at.client.get("/runs").text
    shown = at.client.get(f"/runs/{key}").text
    assert "<polyline" in shown
    for name, value in (
        ("method", "lora"),
        ("options.r", "4"),
        ("train.epochs", "2"),
        ("data.files", "words.jsonl"),
        ("labels", "blue, green, red"),
    ):
        assert f'<th scope="row">{name}</th><td>{value}</td>' in shown
    names = re.findall(r'<th scope="row">([\w.]+)</th>', shown)
    assert names[:4] == ["task", "method", "base", "data.digest"], "what it is comes first"
    assert re.search(r">data\.digest</th><td>[0-9a-f]{12}</td>", shown)
    assert 'href="/adapters/words"' in shown
    assert at.client.get("/runs/nothing").status_code == 404


def test_settings_are_escaped_and_a_run_that_kept_none_says_so(at):
    folder = folder_of(at)
    (folder / SETTINGS).write_text(json.dumps({"system": "<b>Sort.</b>"}))
    shown = at.client.get(f"/runs/{folder.name}").text
    assert "&lt;b&gt;Sort." in shown
    assert "<b>" not in shown
    (folder / SETTINGS).unlink()
    assert "This run kept none" in at.client.get(f"/runs/{folder.name}").text


def test_runs_that_are_compared_are_told_apart_by_their_settings(at):
    first = folder_of(at)
    other = first.with_name("words#2-0123456789ab")  # as a sweep names them
    other.mkdir()
    (other / "events.jsonl").write_bytes((first / "events.jsonl").read_bytes())
    settings = json.loads((first / SETTINGS).read_text())
    settings["options"]["r"] = 16
    (other / SETTINGS).write_text(json.dumps(settings))
    shown = at.client.get("/runs", params={"run": [first.name, other.name]}).text
    rows = shown.partition("Where their settings differ")[2]
    assert "options.r" in rows
    assert "options.alpha" not in rows
    assert 'href="/runs/words%232-0123456789ab"' in shown
    assert "words#2-0123456789ab" in at.client.get("/runs/words%232-0123456789ab").text


def test_a_setting_that_one_of_them_lacks_differs():
    assert differing([{"a": "1", "b": "2"}, {"a": "1"}]) == [("b", ("2", ""))]
    assert differing([{"a": "1"}]) == differing([]) == []
