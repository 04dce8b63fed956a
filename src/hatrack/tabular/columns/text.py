"""Texts: TF-IDF of the words that say most about the target, as scikit-learn weighs them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from hatrack.tabular.columns.base import Array, Column
from hatrack.tabular.values import text_of

__all__ = ["Text"]

_WORD = re.compile(r"\b\w\w+\b")


class Text(Column):
    """A column of texts.

    Attributes:
        words: the vocabulary, each with its inverse document frequency in ``idf``.
    """

    kind: Literal["text"] = "text"
    words: tuple[str, ...]
    idf: tuple[float, ...]

    @property
    def features(self) -> tuple[str, ...]:
        return tuple(f"{self.name} says {word!r}" for word in self.words)

    def encode(self, cells: Sequence[Any]) -> Array:
        place = {word: i for i, word in enumerate(self.words)}
        counts = np.zeros((len(cells), len(self.words)))
        for row, cell in enumerate(cells):
            for word, count in Counter(_WORD.findall(text_of(cell).lower())).items():
                if word in place:
                    counts[row, place[word]] = count
        weighed = counts * np.asarray(self.idf)
        length = np.linalg.norm(weighed, axis=1, keepdims=True)
        found: Array = weighed / np.where(length > 0, length, 1.0)
        return found

    def fault(self, cell: Any) -> str | None:
        return "a list or an object cannot be a text" if isinstance(cell, list | dict) else None
