"""The small files of the core: optional dependencies, the folders of a project, conversations, errors."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from hatrack.core.chat import Message, as_messages
from hatrack.core.errors import HatrackError, MissingExtra, RowErrors, TemplateError
from hatrack.core.extras import require
from hatrack.core.lineage import Comparison, Interval, adapter_digest
from hatrack.core.project import Project, cache_home


def test_a_missing_extra_says_what_needs_it_and_how_to_get_it():
    with pytest.raises(MissingExtra, match="ICD-10 examples needs the package no_such_package") as refused:
        require("no_such_package.inner", extra="quickstart", reason="ICD-10 examples")
    assert 'pip install "hatrack[quickstart]"' in str(refused.value)
    assert isinstance(refused.value, ImportError)


def test_a_fault_inside_an_installed_extra_is_not_called_missing(tmp_path, monkeypatch):
    (tmp_path / "broken_extra.py").write_text("import something_it_needs\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ModuleNotFoundError, match="something_it_needs") as refused:
        require("broken_extra", extra="x", reason="y")
    assert not isinstance(refused.value, MissingExtra)


def test_an_extra_that_is_there_is_returned():
    assert require("json", extra="x", reason="y") is sys.modules["json"]


def test_everything_written_lies_under_one_folder():
    project = Project(Path("/p"))
    assert all(path.parent == Path("/p/.hatrack") for path in (project.database, project.blobs, project.runs, project.rejects))


def test_the_cache_follows_its_variables(monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", "/x")
    monkeypatch.setenv("HATRACK_CACHE", "/c")
    assert cache_home() == Path("/c")
    monkeypatch.setenv("HATRACK_CACHE", "")
    assert cache_home() == Path("/x/hatrack")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_home() == Path.home() / ".cache" / "hatrack"


def test_a_question_dictionaries_and_messages_are_conversations():
    expected = (Message("user", "hi"),)
    assert as_messages("hi") == as_messages([{"role": "user", "content": "hi"}]) == as_messages(expected) == expected


@pytest.mark.parametrize(
    ("turns", "said"),
    [
        ([], "at least one message"),
        ([{"role": "tool", "content": "x"}], "message 1 has an unknown role"),
        ([{"role": "user", "content": "x"}, {"role": "assistant", "content": None}], "message 2 has no text"),
        ([{"role": "user", "content": [{"type": "text"}]}], "message 1 has no text"),
    ],
)
def test_what_is_no_conversation_is_refused_with_its_place(turns, said):
    with pytest.raises(TemplateError, match=said):
        as_messages(turns)


def test_an_error_says_what_was_given_what_is_allowed_and_what_to_do():
    lines = str(HatrackError("it is wrong", given="a", allowed="b", fix="c")).splitlines()
    assert [line.split() for line in lines] == [["it", "is", "wrong"], ["given:", "a"], ["allowed:", "b"], ["do:", "c"]]


def test_row_errors_show_the_first_rows_and_count_the_rest():
    error = RowErrors("bad", rows=tuple((i, "empty") for i in range(1, 9)))
    assert "row 5: empty" in str(error)
    assert "row 6" not in str(error)
    assert "... and 3 more" in str(error)


def test_the_digest_of_an_adapter_changes_with_each_of_its_four_parts():
    parts = ("w", {"r": 4}, "base", "template")
    others = ("v", {"r": 8}, "other", "changed")
    digests = {adapter_digest(*parts)} | {adapter_digest(*parts[:i], others[i], *parts[i + 1 :]) for i in range(4)}
    assert len(digests) == 5


def test_a_gain_is_significant_only_when_its_whole_interval_is_on_the_better_side():
    def made(low, high, better=True):
        return Comparison(metric="m", base="b", difference=0, interval=Interval(low=low, high=high), higher_is_better=better)

    assert made(0.01, 0.2).significant_gain
    assert not made(-0.01, 0.2).significant_gain
    assert made(-0.2, -0.1).significant_loss
    assert made(-0.2, -0.1, better=False).significant_gain
