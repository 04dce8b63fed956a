"""Files to splits: read, repair, look for personal data and duplicates, divide, hash. The one entrance to data for training.

    read ──► clean ──► pii ──┐ for each file that is given
    read ──► clean ──► pii ──┼──► duplicates ──► leaks ──► split ──► labels ──► Prepared
    read ──► clean ──► pii ──┘

Each step lies on disk and is repeated only when something that decides its outcome has changed (``steps``). Rows are read
from disk when they are needed, so a million of them take no more memory than a thousand.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hatrack.core.atomic import write_text
from hatrack.core.config import AdapterConfig
from hatrack.core.errors import DataFileError
from hatrack.core.lineage import DataRecord
from hatrack.core.project import Project
from hatrack.data.consistency import check_conflicts, check_labels, remove_leaks
from hatrack.data.division import divide
from hatrack.data.intake import REJECTS
from hatrack.data.manifest import DataManifest, SourceRecord, SplitRecord
from hatrack.data.parts import Part, read_part
from hatrack.data.records import Example, Splits
from hatrack.data.spool import content_digest
from hatrack.data.steps import Done, Progress, Steps, quiet
from hatrack.data.tools import Tools

__all__ = ["FEWEST", "Prepared", "prepare"]

FEWEST = 10  # below this nothing can be split, learned or measured


@dataclass(frozen=True)
class Prepared:
    """Data that may be trained on.

    Attributes:
        splits: the rows, read from disk when they are looked at.
        labels: every class, sorted; empty for tasks without labels.
        notes: one sentence for each thing that was decided or left out.
        clusters: for each row of ``pool`` the smallest index of a row it is nearly equal to.
        pool: all rows of the training file, before it was divided.
    """

    splits: Splits
    labels: tuple[str, ...]
    record: DataRecord
    notes: tuple[str, ...]
    manifest: DataManifest
    pool: Sequence[Example] = ()
    clusters: Sequence[int] = ()


def prepare(
    config: AdapterConfig, root: Path, rejects: Path | None = None, *, progress: Progress = quiet, tools: Tools | None = None
) -> Prepared:
    """Read and split the data of one adapter.

    Args:
        root: the project's folder; paths in the config are relative to it, and finished steps are kept inside it.
        rejects: where the rows that are left out are listed.
        tools: models that some settings ask for.

    Raises:
        DataError: see ``hatrack.core.errors``; every message names the file and the rows.
        StorageError: the project's folder cannot be written.
    """
    steps = Steps(Project(root).data)
    notes: list[str] = []
    files = {"train": config.data.train, "validation": config.data.validation, "test": config.data.test}
    parts = {part: read_part(part, name, root, config, steps, rejects, progress, tools or Tools()) for part, name in files.items() if name}
    rejected = sum(part.rejected for part in parts.values())
    if rejects is not None:
        _write_rejects(rejects, steps.done)
    notes += [note for part in parts.values() for note in part.notes]
    if rejected:
        notes.append(f"{rejected} rows left out" + (f"; see {rejects}" if rejects else ""))
    if len(parts["train"].rows) < FEWEST:
        raise DataFileError(
            "there are too few rows",
            given=f"{len(parts['train'].rows)} rows",
            allowed=f"at least {FEWEST}; 100 to 1,000 good ones teach",
        )
    given = remove_leaks(Splits(*(_rows(parts, part) for part in files)), config.checks.leaks, notes)
    divided = divide(given, parts["train"], config, steps, notes, progress, tools or Tools(), root)
    splits = divided.splits
    for name, rows in splits.items():
        if not rows:
            raise DataFileError(
                f"no rows are left for {name}",
                given=f"{len(given.train)} rows in {config.data.train}",
                allowed=f"at least {FEWEST}, with texts that are not all alike",
                fix="add rows, or give a file for each split",
            )
    labels: tuple[str, ...] = ()
    if config.task in ("classify", "classify-by-text"):
        splits, labels = check_labels(splits, config, notes)
        check_conflicts(splits, config.checks.max_conflicts, notes)
    steps.tidy()
    manifest = _manifest(config, parts, steps.done, splits, rejected)
    return Prepared(splits, labels, _record(manifest), tuple(notes), manifest, parts["train"].rows, divided.clusters)


def _rows(parts: dict[str, Part], name: str) -> Sequence[Example]:
    return parts[name].rows if name in parts else ()


def _write_rejects(path: Path, done: Sequence[Done]) -> None:
    """One list of all rows that any step left out."""
    texts = [(one.folder / REJECTS).read_text(encoding="utf-8") for one in done if (one.folder / REJECTS).is_file()]
    if any(texts) or path.exists():
        write_text(path, "".join(texts))


def _manifest(config: AdapterConfig, parts: dict[str, Part], done: Sequence[Done], splits: Splits, rejected: int) -> DataManifest:
    records = {name: SplitRecord(rows=len(rows), sha256=content_digest(rows)) for name, rows in splits.items()}
    counts = Counter(example.label for _, rows in splits.items() for example in rows if example.label)
    return DataManifest(
        task=config.task,
        sources=tuple(part.source for part in parts.values()),
        steps=tuple(one.record for one in done),
        seed=config.train.seed,
        splits=records,
        labels=dict(sorted(counts.items())),
        rejected=rejected,
        licence=config.prepare.licence,
        digest=digest_of(records),
    )
