"""A document with its sections, checked where it enters, and what its parts are called in a prompt."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePath
from typing import Any

from hatrack.core.errors import RowErrors
from hatrack.data.language import language
from hatrack.data.records import RawRow

__all__ = ["Document", "Section", "read_document"]

# Article 5 – Durée, § 4 Kündigung; then 3.2 Termination, 1) Fees, (a) Fees, IV. Scope. A bare number may be content.
_NUMBERING = re.compile(
    r"""(?:(?:article|art|section|sec|chapter|clause|annexe?|part|chapitre|partie|artikel|abschnitt|kapitel|teil)\b\.?|§+)\s*
        (?:\d+(?:\.\d+)*[a-z]?|[IVXLC]+|[A-Z])(?:\s*[-–—:.)]+)?\s+
      | (?:\d+(?:\.\d+)+\.? | \d+[.):] | \(?(?:\d+|[ivxlc]+|[a-z])[.)])\s+""",
    re.IGNORECASE | re.VERBOSE,
)


@dataclass(frozen=True)
class Section:
    """A heading and the text below it, up to the next heading of any level.

    Attributes:
        name: what a prompt calls it: its heading without numbering, with its parent's where the heading alone stands for
            several sections; empty where no name is its own, or where it is the document's title.
    """

    heading: str
    level: int
    text: str
    name: str


@dataclass(frozen=True)
class Document:
    """One document.

    Attributes:
        source: where it comes from; its rows carry it and stay in one split.
    """

    title: str
    text: str
    sections: tuple[Section, ...]
    source: str

    @cached_property
    def language(self) -> str:
        """ISO 639-1, or ``und``."""
        return language(self.text)[0]


def read_document(row: RawRow) -> Document:
    """The columns ``title``, ``text``, ``sections`` and ``source`` of a row. Only ``text`` is needed.

    Raises:
        RowErrors: there is no text, or the sections are not a list of {heading, level, text}.
    """
    cells = row.columns
    text = cells.get("text")
    if not isinstance(text, str) or not text.strip():
        raise _fault(row, "column 'text' holds no text")
    source = str(cells.get("source") or cells.get("title") or f"document {row.number}")
    title = str(cells.get("title") or "").strip() or PurePath(source).stem
    parts = cells.get("sections") or [{"text": text}]
    if not isinstance(parts, list) or not all(isinstance(part, Mapping) for part in parts):
        raise _fault(row, "column 'sections' must hold a list of {heading, level, text}")
    return Document(title, text, _sections(parts, title), source)


def _sections(parts: list[Mapping[str, Any]], title: str) -> tuple[Section, ...]:
    headings = [" ".join(str(part.get("heading") or "").split()) for part in parts]
    levels = [level if isinstance(level := part.get("level"), int) else 1 for part in parts]
    short = ["" if heading.casefold() == title.casefold() else _unnumbered(heading) for heading in headings]
    full = [_with_parent(i, short, levels) for i in range(len(parts))]
    often, full_often = Counter(short), Counter(full)
    names = [one if often[one] == 1 else both if full_often[both] == 1 else "" for one, both in zip(short, full, strict=True)]
    texts = [str(part.get("text") or "").strip() for part in parts]
    return tuple(Section(*fields) for fields in zip(headings, levels, texts, names, strict=True))


def _with_parent(index: int, names: list[str], levels: list[int]) -> str:
    above = next((names[i] for i in range(index - 1, -1, -1) if levels[i] < levels[index] and names[i]), "")
    return f"{names[index]} ({above})" if above and names[index] else names[index]


def _unnumbered(heading: str) -> str:
    match = _NUMBERING.match(heading)
    rest = heading[match.end() :] if match else heading
    return (rest if any(c.isalpha() for c in rest) else heading).strip(" .:–—-")


def _fault(row: RawRow, reason: str) -> RowErrors:
    return RowErrors(
        "a document cannot be used",
        rows=((row.number, reason),),
        allowed="title, text, sections [{heading, level, text}], source",
        fix="correct this row",
    )
