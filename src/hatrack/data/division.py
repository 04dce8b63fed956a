"""From rows to train, validation and test: duplicates are found first, so that what is alike stays on one side."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hatrack.core.config import AdapterConfig
from hatrack.core.errors import DataFileError
from hatrack.data.consistency import check_conflicts, check_labels, remove_leaks
from hatrack.data.duplicates.step import Duplicates
from hatrack.data.manifest import SplitRecord
from hatrack.data.parts import Part
from hatrack.data.records import Example, Splits
from hatrack.data.progress import Progress
from hatrack.data.spool import Spool
from hatrack.data.split import group_numbers, label_numbers, split_indices
from hatrack.data.steps import Steps

__all__ = ["FEWEST", "Divided", "divide"]

FEWEST = 10  # below this nothing can be split, learned or measured
_PARTS = ("train", "validation", "test")


@dataclass(frozen=True)
class Divided:
    """The splits and what was found on the way.

    Attributes:
        labels: every class, sorted; empty for tasks without labels.
        label_rows: rows of each label over all splits.
    """

    splits: Splits
    labels: tuple[str, ...]
    records: dict[str, SplitRecord]
    label_rows: dict[str, int]
    notes: tuple[str, ...]


def divide(parts: dict[str, Part], duplicates: Duplicates, config: AdapterConfig, steps: Steps, progress: Progress) -> Divided:
    """Split off the parts for which no file was given, and refuse what must not be in them.

    Raises:
        CheckFailed: rows of one part stand in another, too many conflicts, fewer than two labels.
        RowErrors: labels that nobody taught. DataFileError: too few rows.
    """
    parameters = {
        "task": config.task,
        "labels": config.labels,
        "split": config.split,
        "seed": config.train.seed,
        "checks": config.checks.model_dump(mode="json"),
    }
    inputs = [duplicates.key, *(f"{name} {part.key}" for name, part in parts.items())]
    done = steps.run("split", parameters, inputs, lambda out: _Division(parts, duplicates, config, progress).build(out))
    counts = done.record.counts
    views = [parts[counts["from"][name]].rows.subset(np.load(done.folder / f"{name}.npy")) for name in _PARTS]
    records = {name: SplitRecord.model_validate(counts["splits"][name]) for name in _PARTS}
    return Divided(Splits(*views), tuple(counts["classes"]), records, counts["labels"], tuple(counts["notes"]))


@dataclass
class _Division:
    parts: dict[str, Part]
    duplicates: Duplicates
    config: AdapterConfig
    progress: Progress

    def build(self, out: Path) -> dict[str, Any]:
        notes: list[str] = []
        pool = self.parts["train"].rows
        if len(self.duplicates.kept) < FEWEST:
            raise DataFileError(
                "there are too few rows",
                given=f"{len(self.duplicates.kept)} rows" + (" after duplicates were left out" if len(pool) >= FEWEST else ""),
                allowed=f"at least {FEWEST}; 100 to 1,000 good ones teach",
            )
        given = Splits(pool.subset(self.duplicates.kept), self._given("validation"), self._given("test"))
        given = remove_leaks(given, self.config.checks, notes)
        splits, origin = self._complete(given)
        for name, rows in splits.items():
            if not rows:
                raise DataFileError(
                    f"no rows are left for {name}",
                    given=f"{len(given.train)} rows in {self.config.data.train}",
                    allowed=f"at least {FEWEST}, with texts that are not all alike",
                    fix="add rows, or give a file for each split",
                )
        classes: tuple[str, ...] = ()
        if self.config.task in ("classify", "classify-by-text"):
            splits, classes = check_labels(splits, self.config, notes)
            check_conflicts(splits, self.config.checks.max_conflicts, notes)
        label_rows: Counter[str] = Counter()
        records = {}
        for name, view in splits.items():
            np.save(out / f"{name}.npy", view.indices)
            label_rows.update(example.label for example in view if example.label)
            records[name] = {"rows": len(view), "sha256": content_digest(view)}
        return {
            "splits": records,
            "from": origin,
            "classes": list(classes),
            "labels": dict(sorted(label_rows.items())),
            "notes": notes,
        }

    def _given(self, name: str) -> Sequence[Example]:
        return self.parts[name].rows.subset(None) if name in self.parts else ()

    def _complete(self, given: Splits) -> tuple[Splits, dict[str, str]]:
        """Split off what no file was given for; say for each part which file it comes from."""
        origin = {name: name if name in self.parts else "train" for name in _PARTS}
        shares = [share for name, share in zip(_PARTS, self.config.split, strict=True) if origin[name] == "train"]
        off = [name for name in _PARTS if origin[name] == "train"]
        if off == ["train"]:
            return given, origin
        view = given.train
        divided = split_indices(
            view.labels(), view.groups(), self.duplicates.roots[view.indices], shares, self.config.train.seed
        )
        taken = {name: view.subset(indices) for name, indices in zip(off, divided, strict=True)}
        return Splits(*(taken.get(name, dict(given.items())[name]) for name in _PARTS)), origin
