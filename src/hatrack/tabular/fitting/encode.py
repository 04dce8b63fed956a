"""What the encoding learns of the training rows: levels that are common, ranges of numbers, words that say something."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.feature_selection import f_classif, f_regression

from hatrack.core.config_tables import TableColumn
from hatrack.tabular.columns.category import MISSING, OTHER, Category
from hatrack.tabular.columns.date import Date
from hatrack.tabular.columns.number import Number
from hatrack.tabular.columns.text import Text
from hatrack.tabular.encoding import AnyColumn, Encoding
from hatrack.tabular.table import Table
from hatrack.tabular.values import level_of, number_of, text_of

__all__ = ["fit_encoding"]

_MOST_LEVELS = 50
_MOST_WORDS = 300
_QUANTILES = 21


def fit_encoding(table: Table, kinds: Mapping[str, TableColumn], target: npt.NDArray[np.float64], *, classes: int) -> Encoding:
    """The encoding of these columns. Only texts look at the target: their words are chosen by what they say of it."""
    return Encoding(columns=tuple(_column(name, kind, table.columns[name], target, classes) for name, kind in kinds.items()))


def _column(name: str, kind: TableColumn, cells: Sequence[Any], target: npt.NDArray[np.float64], classes: int) -> AnyColumn:
    if kind == "number":
        values = np.array([number_of(cell) for cell in cells])
        there = values[~np.isnan(values)]
        # "lower" gives values that were really seen, so an age in reasons and counterfactuals stays a whole number
        seen = np.unique(np.quantile(there, np.linspace(0, 1, _QUANTILES), method="lower")) if len(there) else np.empty(0)
        return Number(name=name, flagged=len(there) < len(values), seen=tuple(map(float, seen)))
    if kind == "category":
        return Category(name=name, levels=_levels(cells))
    if kind == "date":
        return Date(name=name)
    return _text(name, [text_of(cell) for cell in cells], target, classes)


def _levels(cells: Sequence[Any]) -> tuple[str, ...]:
    counts = Counter(level_of(cell) for cell in cells)
    missing = counts.pop(None, 0)
    least = 5 if len(cells) >= 200 else 2
    common = sorted(level for level, count in counts.most_common(_MOST_LEVELS) if level is not None and count >= least)
    others = len(common) < len(counts)
    return (*common, *((OTHER,) if others else ()), *((MISSING,) if missing else ()))


def _text(name: str, texts: list[str], target: npt.NDArray[np.float64], classes: int) -> Text:
    found = TfidfVectorizer(min_df=min(3, max(1, len(texts) // 50)), max_features=20_000)
    try:
        weighed = found.fit_transform(texts)
    except ValueError:  # not one word occurs often enough
        return Text(name=name, words=(), idf=())
    with np.errstate(all="ignore"):
        says, _ = (f_classif if classes else f_regression)(weighed, target)
    chosen = np.sort(np.argsort(-np.nan_to_num(says), kind="stable")[:_MOST_WORDS])
    words = found.get_feature_names_out()
    return Text(name=name, words=tuple(str(words[i]) for i in chosen), idf=tuple(float(found.idf_[i]) for i in chosen))
