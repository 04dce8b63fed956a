"""Steps on disk: found when nothing that decides their outcome changed, made again when anything did."""

from __future__ import annotations

import os
import time

import pytest

from hatrack.data import steps as steps_module
from hatrack.data.steps import Steps, code_version


class Counting:
    """A step that writes a file and counts how often it was asked to."""

    def __init__(self):
        self.calls = 0

    def __call__(self, out):
        self.calls += 1
        (out / "rows").write_text("x")
        return {"rows": 1}


@pytest.fixture
def build():
    return Counting()


def run(store, build, name="clean", parameters=None, inputs=("a",)):
    return Steps(store).run(name, {"unicode": True} if parameters is None else parameters, inputs, build)


def test_an_unchanged_step_is_not_repeated(tmp_path, build):
    first, second = run(tmp_path, build), run(tmp_path, build)
    assert build.calls == 1
    assert (first.repeated, second.repeated) == (True, False)
    assert first.folder == second.folder
    assert first.record == second.record
    assert (second.folder / "rows").read_text() == "x"


@pytest.mark.parametrize(
    "change",
    [{"parameters": {"unicode": False}}, {"inputs": ("b",)}, {"inputs": ("a", "b")}, {"name": "pii"}],
    ids=["a setting", "the file before it", "one file more", "another step"],
)
def test_F15_a_step_is_repeated_when_what_decides_it_changed(tmp_path, build, change):
    first = run(tmp_path, build)
    assert run(tmp_path, build, **change).key != first.key
    assert build.calls == 2


def test_F15_a_step_is_repeated_when_the_code_or_a_library_changed(tmp_path, build, monkeypatch):
    run(tmp_path, build)
    monkeypatch.setattr(steps_module, "code_version", lambda: "another")
    run(tmp_path, build)
    assert build.calls == 2


def test_F15_the_version_of_the_code_is_that_of_source_and_libraries(monkeypatch):
    before = code_version()
    code_version.cache_clear()
    assert code_version() == before
    code_version.cache_clear()
    monkeypatch.setattr(steps_module, "_version", lambda library: "99")
    assert code_version() != before
    code_version.cache_clear()
    monkeypatch.undo()
    monkeypatch.setattr(steps_module, "_ROOMS", ("data",))
    assert code_version() != before
    code_version.cache_clear()


def test_a_step_that_fails_leaves_nothing(tmp_path):
    def failing(out):
        (out / "rows").write_text("half")
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        run(tmp_path, failing)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("damage", ["", "{", '{"key": "another"}', "[1]"])
def test_a_damaged_record_is_made_again(tmp_path, build, damage):
    done = run(tmp_path, build)
    (done.folder / "step.json").write_text(damage)
    assert run(tmp_path, build).repeated
    assert build.calls == 2


def test_what_nobody_used_for_a_day_is_removed(tmp_path, build):
    old, fresh = run(tmp_path, build, inputs=("old",)), run(tmp_path, build, inputs=("fresh",))
    left = tmp_path / ".staging-killed"
    left.mkdir()
    (tmp_path / "mine").mkdir()
    yesterday = time.time() - 25 * 3600
    for folder in (old.folder, left, tmp_path / "mine"):
        os.utime(folder, (yesterday, yesterday))
    steps = Steps(tmp_path)
    used = steps.run("clean", {"unicode": True}, ("used",), build)
    os.utime(used.folder, (yesterday, yesterday))
    steps.tidy()
    assert {folder.name for folder in tmp_path.iterdir()} == {fresh.folder.name, used.folder.name, "mine"}
