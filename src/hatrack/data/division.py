"""From rows to train, validation and test: what is alike stays on one side, and nothing that is tested was taught."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hatrack.core.config import AdapterConfig
from hatrack.core.errors import DataFileError
from hatrack.data.consistency import check_conflicts, check_labels, remove_known, remove_leaks
from hatrack.data.duplicates.step import Duplicates
from hatrack.data.manifest import SplitRecord
from hatrack.data.parts import Part
from hatrack.data.progress import Progress
from hatrack.data.records import Example, Splits, beginning
from hatrack.data.split import group_numbers, label_numbers, split_indices
from hatrack.data.spool import Spool, column, subset
from hatrack.data.steps import Steps
from hatrack.safety.quote import quote_for

__all__ = ["FEWEST", "Divided", "divide"]

FEWEST = 10  # below this nothing can be split, learned or measured
_PARTS = ("train", "validation", "test")
_LABELLED = ("classify", "classify-by-text")


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


def divide(
    parts: dict[str, Part],
    against: dict[str, Part],
    duplicates: Duplicates,
    config: AdapterConfig,
    steps: Steps,
    progress: Progress,
) -> Divided:
    """Split off the parts for which no file was given, and refuse what must not be in them.

    Args:
        parts: the files that were given.
        against: evaluation files that no training row may repeat.

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
    inputs = [duplicates.key, *(f"{name} {part.key}" for name, part in {**parts, **against}.items())]
    division = _Division(parts, against, duplicates, config, progress)
    done = steps.run("split", parameters, inputs, division.build)
    counts = done.record.counts
    views = [parts[counts["from"][name]].rows.subset(np.load(done.folder / f"{name}.npy")) for name in _PARTS]
    records = {name: SplitRecord.model_validate(counts["splits"][name]) for name in _PARTS}
    return Divided(Splits(*views), tuple(counts["classes"]), records, counts["labels"], tuple(counts["notes"]))


@dataclass
class _Division:
    parts: dict[str, Part]
    against: dict[str, Part]
    duplicates: Duplicates
    config: AdapterConfig
    progress: Progress

    def build(self, out: Path) -> dict[str, Any]:
        """Divide, check, and write the row numbers of each part."""
        config, checks, quote = self.config, self.config.checks, self._quote
        notes: list[str] = []
        pool, kept = self.parts["train"].rows, self.duplicates.kept
        if len(kept) < FEWEST:
            raise DataFileError(
                "there are too few rows",
                given=f"{len(kept)} rows" + (" after duplicates were left out" if len(pool) >= FEWEST else ""),
                allowed=f"at least {FEWEST}; 100 to 1,000 good ones teach",
            )
        given = Splits(pool.subset(kept), self._given("validation"), self._given("test"))
        given = remove_leaks(given, checks.leaks, notes, checks.near_duplicates, self.progress, quote)
        for name, part in self.against.items():
            given = remove_known(given, name, part.rows, checks.leaks, notes, checks.near_duplicates, self.progress, quote)
        splits, origin = self._complete(given)
        for name, rows in splits.items():
            if not rows:
                raise DataFileError(
                    f"no rows are left for {name}",
                    given=f"{len(given.train)} rows in {config.files.train}",
                    allowed=f"at least {FEWEST}, in several groups or documents, with texts that are not all alike",
                    fix="add rows, or give a file for each split",
                )
        classes: tuple[str, ...] = ()
        if config.task in _LABELLED:
            splits, classes = check_labels(splits, config, notes)
            check_conflicts(splits, checks.max_conflicts, notes, quote)
        label_rows: Counter[str] = Counter()
        records = {}
        for name, view in splits.items():
            if not isinstance(view, Spool):
                raise TypeError(f"{name} is no view of rows on disk")  # every check above keeps views
            np.save(out / f"{name}.npy", view.positions)
            records[name] = {"rows": len(view), "sha256": view.digest()}
            if config.task in _LABELLED:
                label_rows.update(view.column("label"))
        return {"splits": records, "from": origin, "classes": list(classes), "labels": dict(sorted(label_rows.items())), "notes": notes}

    def _quote(self, text: str) -> str:
        return quote_for(self.config.prepare.pii).excerpt(beginning(text))

    def _given(self, name: str) -> Sequence[Example]:
        return self.parts[name].rows if name in self.parts else ()

    def _complete(self, given: Splits) -> tuple[Splits, dict[str, str]]:
        """Split off what no file was given for; say for each part which file it comes from."""
        origin = {name: name if name in self.parts else "train" for name in _PARTS}
        off = [name for name in _PARTS if origin[name] == "train"]
        pool = given.train
        if off == ["train"] or not isinstance(pool, Spool):
            return given, origin
        shares = [share for name, share in zip(_PARTS, self.config.split, strict=True) if name in off]
        labels, _ = label_numbers(column(pool, "label"))
        groups = group_numbers(column(pool, "group"))
        # the smallest row of a cluster may have been left out: its first row that is here stands for it
        _, first, cluster = np.unique(self.duplicates.roots[pool.positions], return_index=True, return_inverse=True)
        divided = split_indices(labels, groups, first[cluster].astype(np.int64), shares, self.config.train.seed)
        taken = {name: subset(pool, indices) for name, indices in zip(off, divided, strict=True)}
        return Splits(*(taken.get(name, rows) for name, rows in given.items())), origin
