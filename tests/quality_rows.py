"""Rows made by hand for the tests of the quality report: clean ones, and ways to spoil them."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from hatrack.core.chat import Message
from hatrack.core.config import AdapterConfig
from hatrack.core.lineage import DataRecord
from hatrack.data.duplicates.step import Duplicates
from hatrack.data.manifest import DataManifest
from hatrack.data.prepare import Prepared
from hatrack.data.quality.lengths import Measured, token_lengths
from hatrack.data.quality.record import Basis
from hatrack.data.quality.report import Assessment, Evidence, assess
from hatrack.data.records import Example, Splits

__all__ = ["TOPICS", "answered", "config", "judged", "labelled", "prepared", "relabel", "spread_out"]

TOPICS = {
    "weather": ["rain", "wind", "snow", "storm", "cloud", "frost", "thunder", "drizzle"],
    "kitchen": ["bread", "onion", "pan", "oven", "butter", "spoon", "garlic", "dough"],
    "railway": ["train", "ticket", "platform", "delay", "carriage", "conductor", "track", "junction"],
}
_FILLING = [f"{a}{b}" for a in ("mor", "tel", "kin", "sab", "lur", "pon", "vid", "gar") for b in ("a", "en", "ish", "ow", "ul", "ette")]


def labelled(count: int = 300, seed: int = 0) -> list[Example]:
    """Rows whose label is plain from their words; no two alike."""
    rng, names = random.Random(seed), list(TOPICS)
    rows = []
    for i in range(count):
        label = names[i % len(names)]
        words = rng.sample(TOPICS[label], 5) + rng.sample(_FILLING, 3)
        rng.shuffle(words)
        rows.append(Example(i + 1, f"r{i}", " ".join(words), label=label))
    return rows


def answered(answers: Sequence[str]) -> list[Example]:
    """Conversations with these answers to questions of which no two are alike."""
    rng = random.Random(3)
    rows = []
    for i, said in enumerate(answers):
        asked = " ".join(rng.sample(_FILLING, 8)) + "?"
        rows.append(Example(i + 1, f"r{i}", asked, messages=(Message("user", asked), Message("assistant", said))))
    return rows


def relabel(rows: Sequence[Example], labels: dict[int, str]) -> list[Example]:
    """The rows with other labels at some positions."""
    return [replace(row, label=labels.get(i, row.label)) for i, row in enumerate(rows)]


class Lazy(Sequence[Example]):
    """Rows that exist only while they are looked at."""

    def __init__(self, rows: Sequence[Example]) -> None:
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index):
        if isinstance(index, slice):
            return Lazy(self._rows[index])
        return replace(self._rows[index])

    def __iter__(self) -> Iterator[Example]:
        return (replace(row) for row in self._rows)


def spread_out(rows: Sequence[Example], *, lazy: bool = False) -> Splits:
    """Eight rows of ten to train, one to each other split."""
    kind = Lazy if lazy else list
    parts = [[row for i, row in enumerate(rows) if i % 10 in ends] for ends in (range(8), (8,), (9,))]
    return Splits(*(kind(part) for part in parts))


def config(task: str = "classify", **keys) -> AdapterConfig:
    return AdapterConfig.model_validate({"data": "data.jsonl", "task": task, **keys})


def prepared(splits: Splits, labels: Sequence[str] | None = None, rejected: int = 0) -> Prepared:
    rows = {name: len(part) for name, part in splits.items()}
    digests = dict.fromkeys(("digest", "train_digest", "validation_digest", "test_digest"), "0" * 64)
    record = DataRecord(**digests, rows=rows, rejected=rejected, source_files={})
    found = sorted({row.label for _, part in splits.items() for row in part if row.label})
    manifest = DataManifest(
        task="classify", sources=(), steps=(), seed=13, splits={}, labels={}, rejected=rejected, licence=None, digest=digests["digest"]
    )
    nobody = np.arange(0)
    duplicates = Duplicates(key="", roots=nobody, kept=nobody, counts={}, notes=())
    return Prepared(splits, tuple(found if labels is None else labels), record, (), manifest, {}, duplicates, 0)


def judged(splits: Splits, task: str = "classify", evidence: Evidence | None = None, **keys) -> Assessment:
    """The whole assessment; every row is as many tokens as it has words."""
    adapter = config(task, train={"max_length": keys.pop("max_length", 512)})
    measured = [Measured(len(row.text.split()), 1, row.label) for row in splits.train]
    lengths = token_lengths(measured, adapter.train.max_length, Basis(rows=len(measured), of=len(measured)))
    given = prepared(splits, keys.pop("labels", None), keys.pop("rejected", 0))
    return assess("made", adapter, given, lengths, evidence or Evidence(), base="some/base", created="", **{"reasons": {}, **keys})
