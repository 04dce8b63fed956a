"""Rows of a file as a page may show them: what stands there, with a mark in place of each value of personal data.

file ──► reader ──► rows FROM to FROM + COUNT ──► redactor ──► cells in pieces: text, or what was found instead of it

Nothing is prepared or kept, and only the rows that are shown are looked through, so the first rows of a large file are there at once.
"""

from __future__ import annotations

import functools
import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hatrack.core.config_prepare import PiiPolicy
from hatrack.data.readers.base import open_rows
from hatrack.data.records import RawRow, RowFault
from hatrack.safety.quote import quote_for
from hatrack.safety.redact import Change, Redactor

__all__ = ["FirstRows", "Pieces", "ShownRow", "first_rows"]

Pieces = tuple[str | Change, ...]

_LOOKED = 1200  # characters of a cell that are looked through
_PARTIAL = 60  # at the end of those half a value may stand, which nothing recognises
_SHOWN = 400  # of what is left
_COLUMNS = 40


@dataclass(frozen=True)
class ShownRow:
    """One row. Its ``repr`` shows no text.

    Attributes:
        number: in the file, from 1.
        cells: one for each column of ``FirstRows.columns``; empty where the row cannot be read.
        fault: why it cannot be read.
    """

    number: int
    cells: tuple[Pieces, ...] = field(repr=False)
    fault: str = field(default="", repr=False)


@dataclass(frozen=True)
class FirstRows:
    """Some rows of a file.

    Attributes:
        columns: their names, which are looked through too: a file without a line of names has its first row there.
        left_out: how many more columns there are.
        more: whether rows follow.
        found: rows in which each type of personal data was found, the most frequent type first.
    """

    columns: tuple[Pieces, ...]
    left_out: int
    rows: tuple[ShownRow, ...]
    more: bool
    found: dict[str, int]


def first_rows(
    path: Path, policy: PiiPolicy, start: int = 0, count: int = 20, format_name: str = "auto", max_row_bytes: int = 1_000_000
) -> FirstRows:
    """At most ``count`` rows from the one after ``start``, without any value in clear that ``policy`` looks for.

    With mode off, pseudonym and so on it is the same: this is what would be found, not what becomes of it.

    Raises:
        DataFileError: the file cannot be read. ConfigError: ``policy`` names what there is not.
        MissingExtra: the reader or the recogniser needs what is not installed.
    """
    policy = policy.model_copy(update={"mode": "mask"})
    redactor, quote = _redactor_for(policy), quote_for(policy)
    rows = list(itertools.islice(open_rows(path, format_name, max_row_bytes, "columns"), start, start + count + 1))
    rows, more = rows[:count], len(rows) > count
    names = list(dict.fromkeys(name for row in rows if isinstance(row, RawRow) for name in row.columns))
    shown: list[ShownRow] = []
    found: list[str] = []
    for row in rows:
        if isinstance(row, RowFault):
            shown.append(ShownRow(row.number, (), _whole(": ".join(filter(None, (quote.reason(row.reason), quote.excerpt(row.excerpt)))))))
            continue
        cells = _marked(redactor, [_text(row.columns.get(name)) for name in names[:_COLUMNS]])
        found += sorted({piece.type for pieces in cells for piece in pieces if isinstance(piece, Change)})
        shown.append(ShownRow(row.number, cells))
    types = {kind: found.count(kind) for kind in sorted(set(found), key=lambda kind: (-found.count(kind), kind))}
    headings = _marked(redactor, [_whole(name) for name in names[:_COLUMNS]])
    return FirstRows(headings, max(0, len(names) - _COLUMNS), tuple(shown), more, types)


@functools.lru_cache(maxsize=8)
def _redactor_for(policy: PiiPolicy) -> Redactor:
    """Models of names are loaded once, not for every page."""
    return Redactor(policy)


def _marked(redactor: Redactor, texts: Sequence[str]) -> tuple[Pieces, ...]:
    """All cells of a row together, as preparing does; each is cut only after it was looked through."""
    pieces = redactor.marked([text[:_LOOKED] for text in texts])
    return tuple(_cut(some, beyond=len(text) > _LOOKED) for text, some in zip(texts, pieces, strict=True))


def _cut(pieces: Sequence[str | Change], *, beyond: bool) -> Pieces:
    """What fits a cell; ``beyond``: more text follows, in which nobody looked."""
    kept: list[str | Change] = []
    left = _SHOWN
    for number, piece in enumerate(pieces):
        if isinstance(piece, str):
            last = beyond and number == len(pieces) - 1
            text = piece[:-_PARTIAL] if last else piece
            if last or len(text) > left:
                return (*kept, text[:left].rstrip() + "…")
            left -= len(text)
        kept.append(piece)
    return (*kept, "…") if beyond else tuple(kept)


def _text(value: Any) -> str:
    if value is None:
        return ""
    return _whole(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str))


def _whole(text: str) -> str:
    """Without halves of surrogate pairs, which no page can carry; every other character stays where it is."""
    return text.encode("utf-8", "replace").decode("utf-8")
