"""A project on tiny models for comparisons of approaches, and one of its problems."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from rich.console import Console

from conftest import label_rows, write_jsonl
from hatrack.models.loading import open_base
from hatrack.workflows.adapt import Workbench
from hatrack.workflows.bakeoff.base import Problem
from projects import speaking_base, write_project

__all__ = ["bench_of", "compared_project", "problem_of"]


def compared_project(root: Path, causal: Path, encoder: Path, rows: int = 100, adapter: dict[str, Any] | None = None, **keys: Any) -> Path:
    write_jsonl(root / "data.jsonl", label_rows(rows))
    own = {"data": "data.jsonl", "task": "classify-by-text", "system": "Name the colour.", "r": 4, "alpha": 8, "split": [0.5, 0.1, 0.4]}
    own |= {"train": {"epochs": 1, "batch_size": 8, "max_length": 64}, **(adapter or {})}
    compare = {"embedder": str(encoder), "shots": 3, "answer_tokens": 8, **keys.pop("compare", {})}
    return write_project(root, speaking_base(causal), {"colours": own}, compare=compare, **keys)


def bench_of(root: Path) -> Workbench:
    return Workbench.open(root, Console(file=io.StringIO(), width=200))


def problem_of(root: Path, name: str = "colours") -> tuple[Problem, list[Any]]:
    """The problem as an approach gets it, and the test rows that it does not get."""
    bench = bench_of(root)
    prepared = bench.prepare(name)
    encoder = open_base(bench.config.compare.embedder)
    problem = Problem(
        name, bench.adapter(name), bench.config.compare, prepared, bench.files, encoder, bench.config.provider, bench.project.runs,
        bench.console,
    )  # fmt: skip
    return problem, list(prepared.splits.test)
