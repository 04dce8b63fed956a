"""The examples in docs/formats.md are what the page says they are."""

from __future__ import annotations

import json
import re
from pathlib import Path

from hatrack.data.layouts.base import LAYOUTS, choose_layout
from hatrack.data.readers.base import READERS
from hatrack.data.readers.transcript import Transcript
from hatrack.data.records import RawRow

PAGE = (Path(__file__).parents[2] / "docs" / "formats.md").read_text(encoding="utf-8")


def blocks(language):
    return [block.strip().split("\n") for block in re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)]


def test_each_example_of_a_layout_is_known_as_one():
    lines = [json.loads(line) for line in blocks("json")[0]]
    expected = ["alpaca", "dolly", "flan", "chat", "sharegpt", "oasst", "oasst-trees", "transcript", "preference", "hh-rlhf"]
    expected += ["document", "columns"]
    assert [choose_layout("auto", [RawRow(1, cells)])[0] for cells in lines] == expected
    assert sorted(expected) == LAYOUTS.names()


def test_each_example_of_an_export_is_read_again():
    lines = [json.loads(line) for line in blocks("json")[1]]
    assert [choose_layout("auto", [RawRow(1, cells)])[0] for cells in lines] == ["chat", "alpaca", "preference", "preference"]


def test_the_transcript_is_one():
    assert Transcript().sniff("\n".join(blocks("")[0]).encode())


def test_every_ending_is_in_the_table():
    for name in READERS.names():
        row = next(line for line in PAGE.split("\n") if line.startswith(f"| `{name}` |"))
        assert re.findall(r"`(\.\w+)`", row.split("|")[2]) == list(READERS.get(name).suffixes)
