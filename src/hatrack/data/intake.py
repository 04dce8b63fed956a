"""From a file to examples on disk: detected, read, turned into rows of the task, each invalid row numbered and kept aside.

file ──► reader ──► layout ──► (documents: tasks) ──► examples in a spool
             └───────────┴───────────────┴──► rejects.jsonl
"""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from hatrack.core.config import AdapterConfig, Columns
from hatrack.core.digest import sha256_file, sha256_json
from hatrack.core.errors import DataFileError, RowErrors, TemplateError
from hatrack.data.columns import check_columns, map_row, mapping_fault
from hatrack.data.detect import Guess
from hatrack.data.progress import Progress
from hatrack.data.readers.base import open_rows
from hatrack.data.records import Example, RawRow, RowFault
from hatrack.data.rejects import Rejects
from hatrack.data.spool import Spool, SpoolWriter
from hatrack.data.tasks.base import TextGenerator
from hatrack.data.tasks.make_rows import complete_rows, make_rows
from hatrack.data.tasks.support import SupportReport
from hatrack.safety.quote import Quote, quote_for

__all__ = ["ROWS", "are_documents", "read_examples", "source_digest"]

ROWS = "rows"  # the spool inside a step's folder
_SHOWN = 300  # characters of a model's reply in the record
_EVERY = 1000  # rows between two reports of progress


def source_digest(path: Path) -> tuple[str, int]:
    """SHA-256 over the bytes of a file, or over names and bytes of a folder's files; and how many bytes they are.

    Raises:
        DataFileError: it cannot be read.
    """
    try:
        if not path.is_dir():
            return sha256_file(path), path.stat().st_size
        files = sorted(one for one in path.rglob("*") if one.is_file())
        return sha256_json([[str(one.relative_to(path)), sha256_file(one)] for one in files]), sum(one.stat().st_size for one in files)
    except OSError as error:
        raise DataFileError("the data file cannot be opened", given=f"{path}: {error.strerror}") from error


def are_documents(guess: Guess, config: AdapterConfig) -> bool:
    """Whether rows of the task have to be made from documents first."""
    return guess.layout == "document" and config.task in ("instruct", "complete")


def read_examples(
    path: Path, name: str, config: AdapterConfig, guess: Guess, out: Path, writer: TextGenerator | None, progress: Progress
) -> dict[str, Any]:
    """Read one file into a spool in ``out``; return the counts.

    Args:
        name: the file as the config names it.
        guess: how the file is to be read, see ``hatrack.data.detect``.
        writer: the model that ``prepare.documents.model`` names, if any.

    Raises:
        DataFileError: the file as a whole cannot be read, or lacks a column that the config names.
        RowErrors: two rows have the same id.
    """
    rejects = Rejects(out, name)
    try:
        intake = _Intake(path, config, guess, rejects, writer)
        identities = array("Q")
        with SpoolWriter.open(out / ROWS) as spool:
            for example in intake.examples():
                spool.append(example)
                identities.append(_identity(example.id))
                if len(identities) % _EVERY == 0:
                    progress(f"reading {name}", len(identities), None)
    finally:
        rejects.close()
    quote = quote_for(config.prepare.pii)
    _ids_are_unique(np.frombuffer(identities, dtype=np.uint64), Spool.open(out / ROWS), path, quote)
    counts: dict[str, Any] = {"rows": intake.rows, "kept": len(identities), "rejected": rejects.count}
    if are_documents(guess, config):
        counts["written_by_model"] = intake.support.lines()
        counts["replies"] = [{**asdict(example), "reply": quote(example.reply)[:_SHOWN]} for example in intake.support.examples]
    return counts


@dataclass
class _Intake:
    path: Path
    config: AdapterConfig
    guess: Guess
    rejects: Rejects
    writer: TextGenerator | None
    support: SupportReport = field(default_factory=SupportReport)
    rows: int = 0

    def examples(self) -> Iterator[Example]:
        rows, config = self._valid(), self.config
        if are_documents(self.guess, config):
            rows, config = self._made(rows), config.model_copy(update={"columns": Columns(id=None, group="group")})
        first = True
        for row in rows:
            if first:
                check_columns(row, config, self.path)
                first = False
            try:
                yield map_row(row, config)
            except (ValueError, TemplateError) as error:
                self.rejects.add(mapping_fault(row, error))

    def _valid(self) -> Iterator[RawRow]:
        for row in open_rows(self.path, self.guess.format, self.config.checks.max_row_bytes, self.guess.layout):
            self.rows += 1
            if isinstance(row, RowFault):
                self.rejects.add(row)
            else:
                yield row

    def _made(self, documents: Iterator[RawRow]) -> Iterator[RawRow]:
        settings = self.config.prepare.documents
        if self.config.task == "complete":
            return complete_rows(documents, settings.max_words)
        return make_rows(documents, settings, self.config.train.seed, self.writer, self.support)


def _identity(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")


def _ids_are_unique(identities: np.ndarray, spool: Spool, path: Path, quote: Quote) -> None:
    """Hashes find candidates; the ids themselves decide."""
    order = np.argsort(identities, kind="stable")
    same = np.flatnonzero(identities[order][1:] == identities[order][:-1])
    first: dict[str, int] = {}
    twice: list[tuple[int, str]] = []
    for index in np.unique(np.concatenate([order[same], order[same + 1]])).tolist():
        example = spool[index]
        if example.id in first:
            twice.append((example.row, f"id {quote(example.id)!r} is already used in row {first[example.id]}"))
        first.setdefault(example.id, example.row)
    if twice:
        raise RowErrors(
            f"{len(twice)} of {len(spool)} rows of {path.name} repeat an id",
            rows=tuple(twice),
            allowed="each id once",
            fix="make the ids unique, or set columns: {id: null} when the column is no id",
        )
