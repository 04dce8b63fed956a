"""Projects whose table has a column of texts that an adapter of the same project reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from conftest import label_rows
from made_tables import loan_rows, write_csv
from projects import copy_of, trained_encoder

__all__ = ["noted_rows", "scored_project"]

SCORE = {"name": "tone", "column": "note", "adapter": "words"}


def noted_rows(count: int = 120, seed: int = 1) -> list[dict[str, Any]]:
    """Loans with a note of four words and a colour; late payers mostly write of red. Every tenth has no note."""
    rows = loan_rows(count, seed)
    colours = [("red" if row["late"] == "yes" else "blue") if number % 5 else "green" for number, row in enumerate(rows)]
    texts = label_rows(3 * count, seed=seed)
    by_colour = {colour: iter([text["text"] for text in texts if text["label"] == colour]) for colour in ("red", "green", "blue")}
    for number, (row, colour) in enumerate(zip(rows, colours, strict=True)):
        row["note"] = "" if number % 10 == 9 else next(by_colour[colour])
    return rows


def scored_project(encoder: Path, folder: Path, rows: list[dict[str, Any]] | None = None, score: dict[str, Any] | None = None) -> Path:
    """The classifier ``words``, trained, and the table ``loans`` that reads notes with it."""
    root = copy_of(trained_encoder(encoder), folder)
    write_csv(root / "loans.csv", noted_rows() if rows is None else rows)
    path = root / "hatrack.yaml"
    config = yaml.safe_load(path.read_text())
    table = {"data": "loans.csv", "target": "late", "model": "linear", "ignore": ["note"], "text_scores": [{**SCORE, **(score or {})}]}
    config["tables"] = {"loans": {**table, "search": {"trials": 1}, "split": {"folds": 3}}}
    path.write_text(yaml.safe_dump(config, sort_keys=False))
    return root
