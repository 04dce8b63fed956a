"""Files to splits: read, map, refuse what must be refused, divide, hash. The one entrance to data for training."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from hatrack.core.atomic import write_text
from hatrack.core.config import AdapterConfig
from hatrack.core.digest import sha256_file, sha256_json
from hatrack.core.errors import DataFileError, RowErrors
from hatrack.core.lineage import DataRecord
from hatrack.data.columns import map_rows
from hatrack.data.consistency import check_conflicts, check_labels, remove_leaks
from hatrack.data.readers.base import open_rows
from hatrack.data.records import Example, RowFault, Splits
from hatrack.data.split import split_examples

__all__ = ["Prepared", "prepare"]

_FEWEST = 10  # below this nothing can be split, learned or measured


@dataclass(frozen=True)
class Prepared:
    """Data that may be trained on.

    Attributes:
        labels: every class, sorted; empty for instruct.
        notes: one sentence for each thing that was decided or left out.
    """

    splits: Splits
    labels: tuple[str, ...]
    record: DataRecord
    notes: tuple[str, ...]


def prepare(config: AdapterConfig, root: Path, rejects: Path | None = None) -> Prepared:
    """Read and split the data of one adapter. Paths are relative to ``root``; rejected rows are written to ``rejects``.

    Raises:
        DataError: see ``hatrack.core.errors``; every message names the file and the rows.
    """
    files = config.data
    notes: list[str] = []
    rejected: list[tuple[str, RowFault]] = []
    sources: dict[str, str] = {}

    def load(name: str) -> list[Example]:
        path = (root / name).absolute()
        rows = open_rows(path, files.format, config.checks.max_row_bytes)
        examples, faults = map_rows(rows, config, path)
        sources[name] = sha256_file(path)
        rejected.extend((name, fault) for fault in faults)
        _limit_rejects(path, examples, faults, config.checks.max_rejected, rejects)
        return examples

    given = Splits(load(files.train), *(load(name) if name else [] for name in (files.validation, files.test)))
    if rejects is not None:
        _write_rejects(rejects, rejected)
    if rejected:
        notes.append(f"{len(rejected)} invalid rows left out" + (f"; see {rejects}" if rejects else ""))
    given = remove_leaks(given, config.checks.leaks, notes)
    splits = _complete(given, config)
    for name, rows in splits.items():
        if not rows:
            raise DataFileError(
                f"no rows are left for {name}",
                given=f"{len(given.train)} rows in {files.train}",
                allowed=f"at least {_FEWEST}, with texts that are not all alike",
                fix="add rows, or give a file for each split",
            )
    labels: tuple[str, ...] = ()
    if config.task in ("classify", "classify-by-text"):
        splits, labels = check_labels(splits, config, notes)
        check_conflicts(splits, config.checks.max_conflicts, notes)
    return Prepared(splits, labels, _record(splits, sources, len(rejected)), tuple(notes))


def _complete(given: Splits, config: AdapterConfig) -> Splits:
    """Split off the parts for which no file was given."""
    seed, threshold = config.train.seed, config.checks.near_duplicates
    train, validation, test = config.split
    rows = list(given.train)
    if len(rows) < _FEWEST:
        raise DataFileError(
            "there are too few rows", given=f"{len(rows)} rows", allowed=f"at least {_FEWEST}; 100 to 1,000 good ones teach"
        )
    if given.validation and given.test:
        return given
    if given.test:
        parts = split_examples(rows, (train, validation), seed, threshold)
        return Splits(parts[0], parts[1], given.test)
    if given.validation:
        parts = split_examples(rows, (train, test), seed, threshold)
        return Splits(parts[0], given.validation, parts[1])
    return Splits(*split_examples(rows, config.split, seed, threshold))


def _limit_rejects(path: Path, examples: Sequence[Example], faults: Sequence[RowFault], limit: float, rejects: Path | None) -> None:
    total = len(examples) + len(faults)
    if not faults or len(faults) <= limit * total:
        return
    if rejects is not None:
        _write_rejects(rejects, [(path.name, fault) for fault in faults])
    raise RowErrors(
        f"{len(faults)} of {total} rows of {path.name} cannot be used",
        rows=tuple((fault.number, fault.reason) for fault in faults),
        given=f"{len(faults) / total:.1%} of the rows",
        allowed=f"{limit:.1%} (checks.max_rejected)",
        fix="correct these rows" + (f"; all of them are listed in {rejects}" if rejects else "") + ", or raise checks.max_rejected",
    )


def _write_rejects(path: Path, rejected: Iterable[tuple[str, RowFault]]) -> None:
    lines = [
        json.dumps({"file": name, "row": f.number, "reason": f.reason, "excerpt": f.excerpt}, ensure_ascii=False) for name, f in rejected
    ]
    if lines or path.exists():
        write_text(path, "".join(line + "\n" for line in lines))


def _record(splits: Splits, sources: dict[str, str], rejected: int) -> DataRecord:
    digests = {name: sha256_json([example.content() for example in rows]) for name, rows in splits.items()}
    return DataRecord(
        digest=sha256_json(digests),
        train_digest=digests["train"],
        validation_digest=digests["validation"],
        test_digest=digests["test"],
        rows={name: len(rows) for name, rows in splits.items()},
        rejected=rejected,
        source_files=sources,
    )
