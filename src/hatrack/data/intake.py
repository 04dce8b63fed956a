"""From a file to examples on disk: detected, read, turned into rows of the task, each invalid row numbered and kept aside.

file ──► reader ──► layout ──► (documents: tasks) ──► examples in a spool
             └───────────┴───────────────┴──► rejects.jsonl
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hatrack.core.config import AdapterConfig
from hatrack.core.digest import sha256_file, sha256_json
from hatrack.core.errors import DataFileError, RowErrors, TemplateError
from hatrack.data.columns import check_columns, map_row
from hatrack.data.detect import Guess
from hatrack.data.readers.base import open_rows
from hatrack.data.records import Example, RawRow, RowFault
from hatrack.data.spool import Spool, SpoolWriter
from hatrack.data.steps import Progress
from hatrack.data.tasks.base import DocumentRows

__all__ = ["REJECTS", "Rejects", "read_examples", "source_digest", "source_paths"]

REJECTS = "rejects.jsonl"
_SHOWN = 5  # faults that a message may show
_EVERY = 1000  # rows between two reports of progress


class Rejects:
    """Rows that are left out, written as they come; only the first few are kept in memory.

    Args:
        folder: where ``rejects.jsonl`` is written.
        name: the file the rows come from, as the config names it.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self._name = name
        self._stream = (folder / REJECTS).open("w", encoding="utf-8")
        self.first: list[RowFault] = []
        self.count = 0

    def add(self, fault: RowFault) -> None:
        """Write one row and its reason."""
        self.count += 1
        if len(self.first) < _SHOWN:
            self.first.append(fault)
        line = {"file": self._name, "row": fault.number, "reason": fault.reason, "excerpt": fault.excerpt}
        self._stream.write(json.dumps(line, ensure_ascii=False) + "\n")

    def close(self) -> None:
        """Finish the file."""
        self._stream.close()


def source_paths(path: Path) -> list[Path]:
    """The files behind ``data``: itself, or all files of a folder of documents, sorted."""
    return sorted(one for one in path.rglob("*") if one.is_file()) if path.is_dir() else [path]


def source_digest(path: Path) -> tuple[str, int]:
    """SHA-256 over the bytes of a file, or over names and bytes of a folder's files; and how many bytes they are.

    Raises:
        DataFileError: it cannot be read.
    """
    try:
        if not path.is_dir():
            return sha256_file(path), path.stat().st_size
        files = source_paths(path)
        return sha256_json([[str(one.relative_to(path)), sha256_file(one)] for one in files]), sum(one.stat().st_size for one in files)
    except OSError as error:
        raise DataFileError("the data file cannot be opened", given=f"{path}: {error.strerror}") from error


@dataclass
class _Intake:
    config: AdapterConfig
    path: Path
    guess: Guess
    rejects: Rejects
    documents: DocumentRows | None
    rows: int = 0

    def examples(self) -> Iterator[Example]:
        columns_known = False
        for row in self._raw():
            self.rows += 1
            if isinstance(row, RowFault):
                self.rejects.add(row)
                continue
            if not columns_known:
                check_columns(row, self.config, self.path)
                columns_known = True
            try:
                yield map_row(row, self.config)
            except (ValueError, TemplateError) as error:
                self.rejects.add(RowFault(row.number, str(error).split("\n")[0], _shown(row)))

    def _raw(self) -> Iterable[RawRow | RowFault]:
        rows = open_rows(self.path, self.guess.format, self.config.checks.max_row_bytes, self.guess.layout)
        return rows if self.documents is None else self.documents(rows)


def read_examples(
    path: Path,
    name: str,
    config: AdapterConfig,
    guess: Guess,
    out: Path,
    documents: DocumentRows | None,
    progress: Progress,
) -> dict[str, Any]:
    """Read one file into a spool in ``out``; return the counts.

    Args:
        name: the file as the config names it.
        guess: how the file is to be read, see ``hatrack.data.detect``.
        documents: makes rows of documents; None where every row of the file is a row of the task.

    Raises:
        DataFileError: the file as a whole cannot be read, or lacks a column that the config names.
        RowErrors: two rows have the same id.
    """
    rejects = Rejects(out, name)
    try:
        intake = _Intake(config, path, guess, rejects, documents)
        with SpoolWriter(out) as writer:
            identities: list[int] = []
            for example in intake.examples():
                writer.append(example)
                identities.append(_identity(example.id))
                if len(identities) % _EVERY == 0:
                    progress(f"reading {name}", intake.rows, None)
    finally:
        rejects.close()
    _ids_are_unique(np.array(identities, dtype=np.uint64), Spool.open(out), path)
    counts: dict[str, Any] = {"rows": intake.rows, "kept": len(identities), "rejected": rejects.count}
    return counts if documents is None else {**counts, "documents": documents.summary()}


def _identity(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")


def _ids_are_unique(identities: np.ndarray, spool: Spool, path: Path) -> None:
    """Hashes find candidates; the ids themselves decide."""
    order = np.argsort(identities, kind="stable")
    same = np.flatnonzero(identities[order][1:] == identities[order][:-1])
    first: dict[str, int] = {}
    twice: list[tuple[int, str]] = []
    for index in sorted({int(order[i]) for i in same} | {int(order[i + 1]) for i in same}):
        example = spool[index]
        if example.id in first:
            twice.append((example.row, f"id {example.id!r} is already used in row {first[example.id]}"))
        first.setdefault(example.id, example.row)
    if twice:
        raise RowErrors(
            f"{len(twice)} of {len(spool)} rows of {path.name} repeat an id",
            rows=tuple(twice),
            allowed="each id once",
            fix="make the ids unique, or set columns: {id: null} when the column is no id",
        )


def _shown(row: RawRow) -> str:
    return " ".join(f"{key}={value!r}" for key, value in row.columns.items())[:80]
