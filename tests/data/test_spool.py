"""Rows on disk: used like a list, written whole or not at all, damage is said."""

from __future__ import annotations

import errno
import json
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hatrack.core.atomic import STAGING
from hatrack.core.chat import Message
from hatrack.core.digest import sha256_json
from hatrack.core.errors import DataFileError, StorageError
from hatrack.data.records import Example
from hatrack.data.spool import Spool, SpoolWriter, column, content_digest, subset

TEXT = st.one_of(st.text(max_size=12), st.sampled_from(["é\n\u2028", '"\\', "\ud800", "\x00"]))
EXAMPLES = st.builds(
    Example,
    row=st.integers(1, 10**7),
    id=TEXT,
    text=TEXT,
    label=TEXT,
    messages=st.lists(st.builds(Message, st.sampled_from(["system", "user", "assistant"]), TEXT), max_size=3).map(tuple),
    group=TEXT,
    rejected=TEXT,
)
in_any_folder = settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def spooled(folder, examples) -> Spool:
    with SpoolWriter.open(folder) as writer:
        for example in examples:
            writer.append(example)
    return Spool.open(folder)


def some(count: int) -> list[Example]:
    return [Example(i + 1, f"id{i}", f"text {i}", label="ab"[i % 2], group=f"g{i // 3}") for i in range(count)]


@in_any_folder
@given(st.lists(EXAMPLES, max_size=6), st.data())
def test_a_spool_behaves_like_the_list_of_its_examples(tmp_path, examples, data):
    spool = spooled(tmp_path / "spool", examples)
    assert len(spool) == len(examples)
    assert list(spool) == examples
    assert list(reversed(spool)) == examples[::-1]
    for i in range(-len(examples) - 2, len(examples) + 2):
        if -len(examples) <= i < len(examples):
            assert spool[i] == examples[i]
            assert spool[i] in spool
            assert spool.index(examples[i]) == examples.index(examples[i])
            assert spool.count(examples[i]) == examples.count(examples[i])
        else:
            with pytest.raises(IndexError):
                spool[i]
    cut = data.draw(st.slices(len(examples)))
    assert list(spool[cut]) == examples[cut]
    assert spool.digest() == content_digest(examples) == sha256_json([example.content() for example in examples])


@in_any_folder
@given(st.lists(EXAMPLES, min_size=1, max_size=6), st.data())
def test_a_part_of_a_spool_behaves_like_the_same_part_of_the_list(tmp_path, examples, data):
    chosen = data.draw(st.lists(st.integers(0, len(examples) - 1), max_size=8))
    part, expected = spooled(tmp_path / "spool", examples).subset(np.array(chosen, dtype=np.int64)), [examples[i] for i in chosen]
    again = data.draw(st.lists(st.integers(0, len(chosen) - 1), max_size=4)) if chosen else []
    assert list(part) == expected == subset(examples, np.array(chosen, dtype=np.int64))
    assert list(part.subset(np.array(again, dtype=np.int64))) == [expected[i] for i in again]
    assert part.digest() == content_digest(expected)
    for name in ("id", "text", "label", "group"):
        values = part.column(name)
        assert list(values) == [values[i] for i in range(len(values))] == column(expected, name)
        assert list(values[1:]) == column(expected, name)[1:]


def test_what_stands_in_memory_and_what_stands_on_disk_are_asked_in_the_same_way(tmp_path):
    examples = some(5)
    spool = spooled(tmp_path / "spool", examples)
    assert list(column(spool, "label")) == column(examples, "label") == ["a", "b", "a", "b", "a"]
    part = subset(spool, np.array([3, 1]))
    assert isinstance(part, Spool)
    assert list(part) == subset(examples, np.array([3, 1])) == [examples[3], examples[1]]


def test_the_digest_depends_on_the_order_and_not_on_where_the_rows_stood(tmp_path):
    first, second = some(2)
    assert content_digest([first, second]) != content_digest([second, first])
    moved = Example(77, first.id, first.text, first.label, group="other")
    assert content_digest([moved]) == content_digest([first])


def test_rows_that_were_not_written_to_the_end_are_not_there(tmp_path):
    def endless():
        yield from some(5)
        raise RuntimeError("stopped")

    with pytest.raises(RuntimeError, match="stopped"):
        spooled(tmp_path / "spool", endless())
    assert list(tmp_path.iterdir()) == []


def test_a_new_spool_replaces_the_old_one_which_stays_readable_for_who_has_it(tmp_path):
    old = spooled(tmp_path / "spool", some(3))
    new = spooled(tmp_path / "spool", some(9))
    assert (len(old), len(new)) == (3, 9)
    assert list(old) == some(3)
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(STAGING)]


def test_a_full_disk_is_one_clear_error_and_the_old_rows_stay(tmp_path, monkeypatch):
    spooled(tmp_path / "spool", some(3))

    def full(*arguments, **options):
        raise OSError(errno.ENOSPC, "no space")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(StorageError, match="the disk is full"):
        spooled(tmp_path / "spool", some(9))
    assert list(Spool.open(tmp_path / "spool")) == some(3)


def test_several_threads_read_at_once(tmp_path):
    spool = spooled(tmp_path / "spool", some(500))
    read: list[list[Example]] = []
    threads = [threading.Thread(target=lambda: read.append(list(spool))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert read == [some(500)] * 4


def test_no_spool_is_said(tmp_path):
    with pytest.raises(DataFileError, match="no such rows on disk"):
        Spool.open(tmp_path / "nothing")


def cut_short(folder):
    (folder / "rows.jsonl").write_bytes((folder / "rows.jsonl").read_bytes()[:-9])


def longer(folder):
    with (folder / "rows.jsonl").open("ab") as stream:
        stream.write(b"[]\n")


def without_rows(folder):
    (folder / "rows.jsonl").unlink()


def without_index(folder):
    (folder / "index.i64").unlink()


def half_an_index(folder):
    (folder / "index.i64").write_bytes((folder / "index.i64").read_bytes()[:100])


def index_of_other_rows(folder):
    (folder / "index.i64").write_bytes(np.zeros((3, 2), dtype=np.int64).tobytes())


def empty_index(folder):
    (folder / "index.i64").write_bytes(b"")


def no_json(folder):
    (folder / "spool.json").write_text("{")


def another_format(folder):
    about = json.loads((folder / "spool.json").read_text())
    (folder / "spool.json").write_text(json.dumps({**about, "format": 99}))


def about_nothing(folder):
    (folder / "spool.json").write_text("[]")


@pytest.mark.parametrize(
    "damage",
    [
        cut_short,
        longer,
        without_rows,
        without_index,
        half_an_index,
        index_of_other_rows,
        empty_index,
        no_json,
        another_format,
        about_nothing,
    ],
    ids=lambda damage: damage.__name__,
)
def test_a_damaged_spool_is_refused_when_it_is_opened(tmp_path, damage):
    spooled(tmp_path / "spool", some(20))
    damage(tmp_path / "spool")
    with pytest.raises(DataFileError, match="the rows kept in spool are damaged") as refused:
        Spool.open(tmp_path / "spool")
    assert refused.value.fix == "prepare the data again"


@pytest.mark.parametrize("name", ["rows.jsonl", "index.i64"])
def test_every_changed_byte_is_noticed_at_the_latest_when_its_row_is_read(tmp_path, name):
    examples = some(3)
    spooled(tmp_path / "spool", examples)
    path = tmp_path / "spool" / name
    whole = path.read_bytes()
    for at in range(len(whole)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0b100]) + whole[at + 1 :])
        if name == "index.i64" and at >= len(whole) - 8:  # nothing is behind the end: its checksum is not read
            assert list(Spool.open(tmp_path / "spool")) == examples
            continue
        with pytest.raises(DataFileError, match="damaged"):
            list(Spool.open(tmp_path / "spool"))
