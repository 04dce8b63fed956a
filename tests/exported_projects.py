"""Projects whose versions leave for other tools: of several forms on a causal base, and a classifier on an encoder.

The causal base is a little wider than the other tiny one: formats of few bits want rows that divide into blocks of 32.
"""

from __future__ import annotations

import functools
import io
from pathlib import Path
from typing import Any

from rich.console import Console

from conftest import label_rows, make_causal, make_encoder, write_jsonl
from hatrack.workflows.adapt import Workbench
from projects import speaking_base, write_project

__all__ = ["FORMS", "causal_project", "encoder_project", "open_bench"]

FORMS: dict[str, dict[str, Any]] = {
    "plain": {"r": 8, "alpha": 16},
    "turned": {"method": "dora", "r": 4},
    "scaled": {"method": "ia3"},
    "tuned": {"method": "last-n", "n": 1},
    "prefixed": {"method": "prefix", "tokens": 4},
    "necked": {"method": "bottleneck"},
}
LEARN = {"epochs": 6, "batch_size": 8, "max_length": 64, "learning_rate": 0.01}


def open_bench(root: Path) -> Workbench:
    return Workbench.open(root, Console(file=io.StringIO(), width=200))


@functools.cache
def causal_project(folder: Path) -> Path:
    """``plain`` was evaluated, the others were hardly trained."""
    root = folder / "project-causal"
    base = speaking_base(make_causal(folder / "base" / "tiny-llama-64", width=64))
    write_jsonl(root / "colours.jsonl", label_rows(90))
    one = {"data": "colours.jsonl", "task": "classify-by-text", "system": "Name the colour.", "split": [0.5, 0.1, 0.4]}
    adapters = {name: {**one, "train": {**LEARN, "epochs": 6 if name == "plain" else 1}, **more} for name, more in FORMS.items()}
    write_project(root, base, adapters)
    bench = open_bench(root)
    for name in FORMS:
        manifest = bench.train(name, bench.prepare(name))
        if name == "plain":
            bench.evaluate(manifest, bench.prepare(name))
    return root


@functools.cache
def encoder_project(folder: Path) -> Path:
    root = folder / "project-encoder"
    write_jsonl(root / "words.jsonl", label_rows(90))
    train = {"epochs": 5, "batch_size": 8, "max_length": 64, "learning_rate": 0.01}
    adapter = {"data": "words.jsonl", "task": "classify", "r": 4, "alpha": 8, "split": [0.5, 0.1, 0.4], "train": train}
    write_project(root, make_encoder(folder / "base" / "tiny-bert"), {"words": adapter})
    bench = open_bench(root)
    bench.train("words", bench.prepare("words"))
    return root
