"""From single items to a report: scores with intervals, and what changed against the base with all groups taken together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from scipy import stats

from hatrack.core.checks import Change, Check, CheckedGroup, CheckReport, FailedItem
from hatrack.core.lineage import Interval
from hatrack.evaluation.statistics import bca_interval, mcnemar_p

__all__ = ["CONFIDENCE", "Item", "Subject", "check_report", "share_interval"]

CONFIDENCE = 0.95
_SHOWN = 200  # failed items that a report keeps, of each group


@dataclass(frozen=True)
class Item:
    """One item and how it went: 1 passed, 0 failed; in a group where ``lower_is_better``, nats.

    ``answer`` is shown to people: whoever makes it takes secrets out.
    """

    group: str
    name: str
    value: float
    reason: str = ""
    answer: str = ""


@dataclass(frozen=True)
class Subject:
    """What was checked. ``digest``: of the adapter, where it is one; ``suite``: of everything that was asked."""

    name: str
    digest: str
    suite: str


def check_report(
    check: Check,
    subject: Subject,
    about: Mapping[str, str],
    items: Sequence[Item],
    base: Sequence[Item] | None,
    *,
    skipped: Sequence[str] = (),
    lower_is_better: frozenset[str] = frozenset(),
    seed: int = 13,
) -> CheckReport:
    """The report of one check.

    Args:
        about: a sentence for each group, in the order in which groups are shown.
        base: the base's own items, in the same order; None where there is nothing to compare with.
    """
    groups = [name for name in about if any(item.group == name for item in items)]
    confidence = 1 - (1 - CONFIDENCE) / max(1, len(groups))
    checked, failed = [], []
    for name in groups:
        ours = [item for item in items if item.group == name]
        theirs = None if base is None else [item for item in base if item.group == name]
        lower = name in lower_is_better
        checked.append(_group(name, about[name], ours, theirs, lower, confidence, seed))
        if not lower:
            failed += _failed(ours, theirs)
    return CheckReport(
        check=check,
        subject=subject.name,
        adapter_digest=subject.digest,
        suite_digest=subject.suite,
        groups=tuple(checked),
        failed=tuple(failed),
        skipped=tuple(skipped),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _group(
    name: str, about: str, ours: Sequence[Item], theirs: Sequence[Item] | None, lower: bool, confidence: float, seed: int
) -> CheckedGroup:
    values = np.array([item.value for item in ours])
    interval = _mean_interval(values, seed) if lower else share_interval(int(values.sum()), len(values))
    if theirs is None:
        return CheckedGroup(
            name=name, about=about, items=len(ours), score=float(values.mean()), interval=interval, higher_is_better=not lower
        )
    before = np.array([item.value for item in theirs])
    return CheckedGroup(
        name=name,
        about=about,
        items=len(ours),
        score=float(values.mean()),
        interval=interval,
        base=float(before.mean()),
        change=_change(values, before, lower, confidence, seed),
        higher_is_better=not lower,
    )


def _change(ours: np.ndarray, theirs: np.ndarray, nats: bool, confidence: float, seed: int) -> Change:
    difference = ours - theirs
    mean = float(difference.mean())
    if len(difference) < 2:
        return Change(difference=mean, interval=Interval(low=-1, high=1, confidence=confidence), p_value=1.0)
    interval = bca_interval(lambda rows: float(rows.mean()), difference[:, None], confidence, seed)
    if not nats:
        return Change(difference=mean, interval=interval, p_value=mcnemar_p(ours, theirs))
    p = float(stats.wilcoxon(difference).pvalue) if difference.any() else 1.0
    return Change(difference=mean, interval=interval, p_value=p)


def share_interval(passed: int, of: int) -> Interval:
    """Wilson's interval of a share: has a width even where all or none passed."""
    low, high = stats.binomtest(passed, of).proportion_ci(CONFIDENCE, method="wilson")
    return Interval(low=float(low), high=float(high), confidence=CONFIDENCE)


def _mean_interval(values: np.ndarray, seed: int) -> Interval:
    if len(values) < 2:
        return Interval(low=float(values[0]), high=float(values[0]), confidence=CONFIDENCE)
    return bca_interval(lambda rows: float(rows.mean()), values[:, None], CONFIDENCE, seed)


def _failed(ours: Sequence[Item], theirs: Sequence[Item] | None) -> list[FailedItem]:
    before = {} if theirs is None else {item.name: item.value == 1 for item in theirs}
    return [
        FailedItem(group=item.group, item=item.name, reason=item.reason, answer=item.answer, base_passed=before.get(item.name))
        for item in ours
        if item.value == 0
    ][:_SHOWN]
