"""Who is chosen and who is wronged, by group: selection and error rates with intervals, and when to be warned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import binomtest

from hatrack.tabular.table import Table
from hatrack.tabular.values import is_missing, level_of, number_of

__all__ = ["GroupRates", "Rate", "fairness", "warnings_of"]

_FOUR_FIFTHS = 0.8  # of the largest selection rate: below that the US guidelines (29 CFR 1607.4 D) see adverse impact
_FEWEST = 20  # rows below which a group says too little for a warning
_BANDS = 4  # a protected number (age) is cut into so many groups of equal size


@dataclass(frozen=True)
class Rate:
    """A share of some rows, with Wilson's interval at 95 %."""

    value: float
    low: float
    high: float
    rows: int

    @classmethod
    def of(cls, hits: npt.NDArray[np.bool_]) -> Rate:
        """The share of true ones; NaN where there is no row."""
        if not len(hits):
            return cls(float("nan"), float("nan"), float("nan"), 0)
        interval = binomtest(int(hits.sum()), len(hits)).proportion_ci(method="wilson")
        return cls(float(hits.mean()), float(interval.low), float(interval.high), len(hits))


@dataclass(frozen=True)
class GroupRates:
    """What befalls the rows of one group.

    Attributes:
        selected: the positive class was chosen.
        missed: of the truly positive, those that were not chosen (false negatives).
        false_alarms: of the truly negative, those that were chosen (false positives).
    """

    column: str
    group: str
    selected: Rate
    missed: Rate
    false_alarms: Rate


def fairness(table: Table, columns: Sequence[str], truth: npt.NDArray[Any], chosen: npt.NDArray[Any]) -> list[GroupRates]:
    """Rates by each protected column; truth and chosen are 1 for the positive class ``[rows]``."""
    found = []
    for column in columns:
        groups = _groups(table.columns[column])
        for group in sorted(set(groups)):
            inside = np.array([one == group for one in groups])
            positive, taken = truth[inside] == 1, chosen[inside] == 1
            found.append(GroupRates(column, group, Rate.of(taken), Rate.of(~taken[positive]), Rate.of(taken[~positive])))
    return found


def warnings_of(rates: Sequence[GroupRates]) -> list[str]:
    """Differences between groups that chance does not explain: intervals that do not touch, or four fifths undershot."""
    found = []
    for column in dict.fromkeys(rate.column for rate in rates):
        groups = [rate for rate in rates if rate.column == column]
        for name, words in (("selected", "selection rate"), ("missed", "missed rate"), ("false_alarms", "false-alarm rate")):
            enough = [group for group in groups if getattr(group, name).rows >= _FEWEST]
            if len(enough) < 2:
                continue
            least = min(enough, key=lambda group: getattr(group, name).value)
            most = max(enough, key=lambda group: getattr(group, name).value)
            low, high = getattr(least, name), getattr(most, name)
            apart = low.high < high.low
            fifths = name == "selected" and low.value < _FOUR_FIFTHS * high.value
            if apart or fifths:
                why = "the intervals do not touch" if apart else "less than four fifths"
                found.append(f"{column}: {words} {low.value:.2f} for {least.group}, {high.value:.2f} for {most.group} ({why})")
    return found


def _groups(cells: Sequence[Any]) -> list[str]:
    try:
        values = np.array([number_of(cell) for cell in cells])
    except ValueError:
        values = np.array([])
    if len(np.unique(values)) <= 2 * _BANDS:
        return [str(level_of(cell) or "missing") for cell in cells]
    edges = np.unique(np.nanquantile(values, np.linspace(0, 1, _BANDS + 1), method="lower"))
    place = np.clip(np.searchsorted(edges, values, "right") - 1, 0, len(edges) - 2)
    names = [f"{edges[i]:g} to {edges[i + 1]:g}" for i in range(len(edges) - 1)]
    return ["missing" if is_missing(cell) else names[i] for cell, i in zip(cells, place, strict=True)]
