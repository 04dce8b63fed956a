"""A small table of loans whose truth is known, and projects that learn from it."""

from __future__ import annotations

import csv
import random
from pathlib import Path
from typing import Any

import yaml

from hatrack.core.config_tables import TableConfig
from hatrack.tabular.table import Table

__all__ = ["as_table", "fast", "loan_rows", "table_project", "write_csv"]

PURPOSES = ("car", "house", "travel", "boat")


def loan_rows(count: int = 300, seed: int = 0) -> list[dict[str, Any]]:
    """Late payers have a high amount, a low income, or travel; a fifth of all cells of income is missing."""
    rng = random.Random(seed)
    rows = []
    for number in range(1, count + 1):
        amount, income, purpose = rng.uniform(100, 9000), rng.uniform(900, 6000), rng.choice(PURPOSES)
        risk = amount / 3000 - income / 2000 + (1.5 if purpose == "travel" else 0) + rng.gauss(0, 0.7)
        rows.append(
            {
                "loan_id": f"L{number:05}",
                "amount": round(amount, 2),
                "income": "" if rng.random() < 0.2 else round(income),
                "purpose": purpose,
                "since": f"2025-{rng.randint(1, 12):02}-{rng.randint(1, 28):02}",
                "sex": rng.choice(("f", "m")),
                "late": "yes" if risk > 0.8 else "no",
            }
        )
    return rows


def write_csv(path: Path, rows: list[dict[str, Any]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(dict.fromkeys(key for row in rows for key in row)), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return path


def as_table(rows: list[dict[str, Any]]) -> Table:
    return Table.of_rows(rows)


def fast(**keys: Any) -> TableConfig:
    """A config that trains in a moment."""
    return TableConfig(**{"data": "loans.csv", "target": "late", "model": "linear", "search": {"trials": 1}, "split": {"folds": 3}, **keys})


def table_project(root: Path, rows: list[dict[str, Any]] | None = None, name: str = "loans", **keys: Any) -> Path:
    """A project with one table, written as users write it."""
    root.mkdir(parents=True, exist_ok=True)
    write_csv(root / "loans.csv", loan_rows() if rows is None else rows)
    table = {"data": "loans.csv", "target": "late", "model": "linear", "search": {"trials": 1}, "split": {"folds": 3}, **keys}
    (root / "hatrack.yaml").write_text(yaml.safe_dump({"tables": {name: table}}, sort_keys=False), encoding="utf-8")
    return root
