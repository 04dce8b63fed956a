"""Files to splits: read, repair, look for personal data and duplicates, divide, hash. The one entrance to data for training.

    train ──────► read ──► clean ──► pii ──► duplicates ──┐
    validation ─► read ──► clean ──► pii ─────────────────┼──► split ──► Prepared
    test ───────► read ──► clean ──► pii ─────────────────┘

Each step lies on disk and is repeated only when something that decides its outcome has changed (``steps``). Rows are read
from disk when they are needed, so a million of them take little more memory than a thousand.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hatrack.core.config import AdapterConfig
from hatrack.core.digest import sha256_json
from hatrack.core.lineage import DataRecord
from hatrack.core.project import Project
from hatrack.data.division import divide
from hatrack.data.duplicates.step import Duplicates, find_duplicates
from hatrack.data.manifest import DataManifest
from hatrack.data.parts import Part, read_part
from hatrack.data.progress import Progress, silent
from hatrack.data.records import Splits
from hatrack.data.rejects import write_rejects
from hatrack.data.steps import Steps
from hatrack.data.tools import Tools
from hatrack.safety.quote import quote_for

__all__ = ["Prepared", "prepare"]


@dataclass(frozen=True)
class Prepared:
    """Data that may be trained on.

    Attributes:
        splits: the rows, read from disk when they are looked at.
        labels: every class, sorted; empty for tasks without labels.
        record: what a version's manifest keeps of it.
        notes: one sentence for each thing that was decided or left out.
        manifest: every step with its parameters and counts.
        parts: each file that was given, as it was before the rows were divided.
        duplicates: which rows of the training file say the same.
        repeated: how many steps were done; the others were unchanged and found on disk.
    """

    splits: Splits
    labels: tuple[str, ...]
    record: DataRecord
    notes: tuple[str, ...]
    manifest: DataManifest
    parts: dict[str, Part]
    duplicates: Duplicates
    repeated: int


def prepare(
    config: AdapterConfig, root: Path, rejects: Path | None = None, *, progress: Progress = silent, tools: Tools | None = None
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
    tools = tools or Tools()
    steps = Steps(Project(root).data)
    files = {"train": config.files.train, "validation": config.files.validation, "test": config.files.test}
    parts = {name: read_part(name, file, root, config, steps, rejects, progress, tools) for name, file in files.items() if file}
    if rejects is not None:
        write_rejects(rejects, [one.folder for one in steps.done], quote_for(config.prepare.pii))
    invalid, left_out = sum(part.invalid for part in parts.values()), sum(part.left_out for part in parts.values())
    notes = [note for part in parts.values() for note in part.notes]
    for count, what in ((invalid, "invalid rows left out"), (left_out, "rows left out by the rules under prepare")):
        if count:
            notes.append(f"{count} {what}" + (f"; see {rejects}" if rejects else ""))
    pool = parts["train"]
    embed = tools.embedder if config.prepare.duplicates.paraphrase is not None else None
    duplicates = find_duplicates(pool.rows, pool.key, config, steps, progress, embed, embed.fingerprint if embed else "")
    against = {
        f"against {file}": read_part("against", file, root, config, steps, rejects, progress, tools)
        for file in config.prepare.duplicates.against
    }
    divided = divide(parts, against, duplicates, config, steps, progress)
    notes += [*duplicates.notes, *divided.notes]
    steps.tidy()
    manifest = DataManifest(
        task=config.task,
        sources=tuple(part.source for part in parts.values()),
        steps=tuple(one.record for one in steps.done),
        seed=config.train.seed,
        splits=divided.records,
        labels=divided.label_rows,
        rejected=invalid + left_out,
        licence=config.prepare.licence,
        digest=sha256_json({name: record.sha256 for name, record in divided.records.items()}),
    )
    repeated = sum(one.repeated for one in steps.done)
    return Prepared(divided.splits, divided.labels, _record(manifest), tuple(notes), manifest, parts, duplicates, repeated)


def _record(manifest: DataManifest) -> DataRecord:
    return DataRecord(
        digest=manifest.digest,
        train_digest=manifest.splits["train"].sha256,
        validation_digest=manifest.splits["validation"].sha256,
        test_digest=manifest.splits["test"].sha256,
        rows={name: split.rows for name, split in manifest.splits.items()},
        rejected=manifest.rejected,
        source_files={source.file: source.sha256 for source in manifest.sources},
    )
