"""Persons, places, organisations, nationalities and years from a spaCy pipeline."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from hatrack.core.extras import require
from hatrack.safety.recognisers.base import Finding

__all__ = ["Entities"]

TYPES = {"PERSON": "PERSON", "GPE": "LOCATION", "LOC": "LOCATION", "ORG": "ORGANIZATION", "NORP": "NRP"}
YEAR = re.compile(r"(?<![0-9])(?:1[89]|20)[0-9]{2}(?![0-9])")
PIECE = 50_000  # characters; spaCy's memory grows with the length of a text
SCORE = 0.55


class Entities:
    """The entity recogniser of a spaCy pipeline, without its parser, tagger and lemmatiser.

    Raises:
        MissingExtra: spaCy is not installed.
    """

    types = frozenset({*TYPES.values(), "DATE_TIME"})

    def __init__(self, folder: Path) -> None:
        spacy = require("spacy", extra="pii", reason="finding names")
        self._pipeline = spacy.load(folder, exclude=["parser", "tagger", "lemmatizer", "attribute_ruler", "senter"])

    def find(self, text: str) -> list[Finding]:
        """Entities of the types that can be personal; of a date, its year."""
        found = []
        for offset, piece in _pieces(text):
            for entity in self._pipeline(piece).ents:
                kind, start, end = TYPES.get(entity.label_), entity.start_char, entity.end_char
                if entity.label_ == "DATE" and (year := YEAR.search(piece, start, end)):
                    kind, (start, end) = "DATE_TIME", year.span()
                if kind is not None:
                    found.append(Finding(kind, offset + start, offset + end, SCORE))
        return found


def _pieces(text: str) -> Iterator[tuple[int, str]]:
    """Pieces cut at a line or a space where there is one, each with its offset."""
    start = 0
    while start < len(text):
        end = min(start + PIECE, len(text))
        if end < len(text):
            cut = max(text.rfind("\n", start, end), text.rfind(" ", start, end))
            end = cut if cut > start else end
        yield start, text[start:end]
        start = end
