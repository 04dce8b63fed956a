"""What ``hatrack prepare`` writes: a folder with the three splits, the rejected rows and the record of every step."""

from __future__ import annotations

from pathlib import Path

from hatrack.core.atomic import staged_folder
from hatrack.core.errors import StorageError
from hatrack.data.exports.base import export_examples
from hatrack.data.prepare import Prepared
from hatrack.workflows.adapt import Workbench

__all__ = ["MANIFEST", "write_prepared"]

MANIFEST = "data-manifest.json"
_REJECTS = "rejects.jsonl"


def write_prepared(bench: Workbench, name: str, prepared: Prepared, target: Path, export: str) -> list[Path]:
    """Write the prepared data of one adapter to the folder ``target``; return its files.

    Args:
        export: the form of the rows, a name of ``hatrack.data.exports``.

    Raises:
        StorageError: the folder holds something else, or cannot be written.
        RowErrors: rows that this form cannot hold.
    """
    if target.exists() and not (target / MANIFEST).is_file():
        raise StorageError(
            "this folder holds something else than prepared data",
            given=str(target),
            allowed=f"a new folder, or one with a {MANIFEST}",
            fix="choose another --out",
        )
    config = bench.adapter(name)
    with staged_folder(target) as folder:
        for part, rows in prepared.splits.items():
            export_examples(rows, config, export, folder / f"{part}.jsonl")
        rejects = bench.project.rejects / f"{name}.jsonl"
        if rejects.is_file() and rejects.stat().st_size:
            (folder / _REJECTS).write_bytes(rejects.read_bytes())
        (folder / MANIFEST).write_text(prepared.manifest.model_dump_json(indent=1) + "\n", encoding="utf-8")
    return sorted(target.iterdir())
