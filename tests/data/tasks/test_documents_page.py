"""The worked example in docs/documents.md is what the code makes of that document."""

from __future__ import annotations

import json
import re
from pathlib import Path

from hatrack.core.config_prepare import DocumentTasks
from hatrack.data.records import RawRow
from hatrack.data.tasks.make_rows import make_rows

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "documents.md").read_text(encoding="utf-8")
SEED = 13  # the default of train.seed


def example() -> RawRow:
    columns = json.loads(re.search(r"```json\n(.*?)```", PAGE, re.DOTALL)[1])
    return RawRow(1, {**columns, "text": "\n\n".join(f"{part['heading']}\n\n{part['text']}" for part in columns["sections"])})


def test_the_page_shows_the_rows_that_are_made():
    rows = []
    for row in make_rows([example()], DocumentTasks(per_section=2, max_words=120), SEED):
        cells = [f"`{row.columns['kind']}`", *(turn["content"].replace("\n", "<br>") for turn in row.columns["messages"])]
        rows.append("| " + " | ".join(cells) + " |")
    table = re.search(r"\| kind \| prompt \| answer \|\n\|---\|---\|---\|\n((?:\|.*\n)+)", PAGE)[1]
    assert table.splitlines() == rows
