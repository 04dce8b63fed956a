"""What the encoding learns of the training rows: levels that are common, ranges of numbers, words that say something."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.decomposition import PCA
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.feature_selection import f_classif, f_regression

from hatrack.core.config_tables import TableColumn
from hatrack.tabular.columns.category import MISSING, OTHER, Category
from hatrack.tabular.columns.date import Date
from hatrack.tabular.columns.number import Number
from hatrack.tabular.columns.text import Text
from hatrack.tabular.columns.vector import Vector
from hatrack.tabular.encoding import AnyColumn, Encoding
from hatrack.tabular.fitting.inspect import ColumnKind
from hatrack.tabular.readings import TextVectors
from hatrack.tabular.table import Table
from hatrack.tabular.values import level_of, number_of, text_of

__all__ = ["fit_encoding"]

_MOST_LEVELS = 50
_MOST_WORDS = 300
_QUANTILES = 21


def fit_encoding(
    table: Table,
    kinds: Mapping[str, ColumnKind],
    target: npt.NDArray[np.float64],
    *,
    classes: int,
    vectors: Mapping[str, TextVectors] = MappingProxyType({}),
) -> Encoding:
    """The encoding of these columns. Only texts look at the target: their words are chosen by what they say of it.

    Args:
        vectors: what is known of the columns of vectors.
    """
    columns = []
    for name, kind in kinds.items():
        cells = table.columns[name]
        columns.append(_vector(vectors[name], cells) if kind == "vector" else _column(name, kind, cells, target, classes))
    return Encoding(columns=tuple(columns))


def _vector(reading: TextVectors, cells: Sequence[Any]) -> Vector:
    there = np.array([cell for cell in cells if cell is not None], np.float64)
    if len(there) < 2:
        width = there.shape[1] if len(there) else 0
        return Vector(name=reading.name, source=reading.column, center=(0.0,) * width, axes=())
    found = PCA(min(reading.parts, *there.shape), svd_solver="full").fit(there)
    center, axes = found.mean_.round(6), found.components_.round(6)
    return Vector(name=reading.name, source=reading.column, center=tuple(center.tolist()), axes=tuple(map(tuple, axes.tolist())))


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
