"""What the splits must not contain: test rows that were trained on, labels nobody taught, one text with two labels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from hatrack.core.config import AdapterConfig
from hatrack.core.errors import CheckFailed, RowErrors
from hatrack.core.names import closest
from hatrack.data.duplicates.clusters import clusters
from hatrack.data.duplicates.overlaps import overlaps
from hatrack.data.duplicates.views import Chained
from hatrack.data.progress import Progress, silent
from hatrack.data.records import Example, Splits, normalised
from hatrack.data.split import label_numbers
from hatrack.data.spool import column, subset

__all__ = ["Conflict", "check_conflicts", "check_labels", "conflicts", "remove_known", "remove_leaks"]

Policy = Literal["refuse", "drop"]
Quote = Callable[[str], str]  # a text as it may be shown, see hatrack.safety.quote


def remove_leaks(
    splits: Splits, policy: Policy, notes: list[str], threshold: float = 1.0, progress: Progress = silent, quote: Quote = str
) -> Splits:
    """Training and validation rows whose text also stands in the test set: refused, or dropped and counted.

    From a ``threshold`` below 1 on, nearly equal texts count too (``overlaps``).

    Raises:
        CheckFailed: there are some and the policy is to refuse; the pairs are shown.
    """
    for part, held_out in (("train", "test"), ("validation", "test"), ("train", "validation")):
        known = _Known(dict(splits.items())[held_out], held_out, f"the {held_out} set")
        splits = _without(splits, part, known, policy, notes, threshold, progress, quote)
    return splits


def remove_known(
    splits: Splits,
    name: str,
    known: Sequence[Example],
    policy: Policy,
    notes: list[str],
    threshold: float,
    progress: Progress = silent,
    quote: Quote = str,
) -> Splits:
    """Training and validation rows that also stand in the evaluation file ``name``: refused, or dropped and counted.

    Raises:
        CheckFailed: there are some and the policy is to refuse; the pairs are shown.
    """
    for part in ("train", "validation"):
        splits = _without(splits, part, _Known(known, name, name), policy, notes, threshold, progress, quote)
    return splits


def check_labels(splits: Splits, config: AdapterConfig, notes: list[str]) -> tuple[Splits, tuple[str, ...]]:
    """The classes, sorted; every label that is tested must be taught.

    Raises:
        RowErrors: a label outside ``labels`` of the config, or one that no training row carries.
        CheckFailed: fewer than two classes.
    """
    taught = set(column(splits.train, "label"))
    labels = tuple(sorted(config.labels or taught))
    if config.labels:
        _refuse_unknown(splits.train, _outside(splits.train, set(labels)), set(labels), "train", "the labels listed in hatrack.yaml")
    if len(labels) < 2:
        raise CheckFailed("there is nothing to tell apart", given=f"labels: {', '.join(labels)}", allowed="at least two labels")
    never = sorted(set(labels) - taught)
    if never:
        notes.append(f"{len(never)} labels have no training row: {', '.join(never[:5])}")
    known = set(labels) & taught
    for part in ("validation", "test"):
        rows = dict(splits.items())[part]
        unknown = _outside(rows, known)
        if len(unknown) and config.checks.drop_unknown_test_labels:
            notes.append(f"{len(unknown)} {part} rows left out: their labels are not in the training rows")
            splits = _leave_out(splits, part, unknown)
        else:
            _refuse_unknown(rows, unknown, known, part, "the labels of the training rows")
    return splits, labels


def check_conflicts(splits: Splits, limit: float, notes: list[str], quote: Quote = str) -> None:
    """One text with two labels cannot be learned and makes every score a matter of chance.

    Raises:
        CheckFailed: more than ``limit`` of the rows.
    """
    parts = [rows for _, rows in splits.items()]
    texts = Chained(*(column(rows, "text") for rows in parts))
    labels, names = label_numbers(chain.from_iterable(column(rows, "label") for rows in parts))
    same = np.asarray(clusters(texts, 1.0), dtype=np.int64)
    torn = _torn(labels, same)
    if not len(torn):
        return
    given = [names[number] for number in np.unique(labels[same == same[torn[0]]])]
    shown = f'"{normalised(quote(texts[int(torn[0])]))[:60]}" is {" and ".join(given)}'
    if len(torn) > limit * len(texts):
        raise CheckFailed(
            f"{len(torn)} rows have the same text and different labels",
            given=f"{len(torn) / len(texts):.1%} of the rows, for instance {shown}",
            allowed=f"{limit:.1%} (checks.max_conflicts)",
            fix="decide which label is right, or give the rows the context that tells them apart",
        )
    notes.append(f"{len(torn)} rows have the same text and different labels, for instance {shown}")


@dataclass(frozen=True, slots=True)
class Conflict:
    """A cluster of equal or nearly equal texts with more than one label.

    Attributes:
        rows: the numbers of its rows in their file.
        labels: how many of them carry each label, the commonest first.
        texts: its first text, and the first one with another label.
    """

    rows: tuple[int, ...]
    labels: dict[str, int]
    texts: tuple[str, str]


def conflicts(examples: Sequence[Example], cluster: Sequence[int]) -> list[Conflict]:
    """Where nearly the same was labelled differently; ``cluster`` as ``clusters`` gives it for the texts of ``examples``."""
    numbers, names = label_numbers(column(examples, "label"))
    same = np.asarray(cluster, dtype=np.int64)
    torn = _torn(numbers, same)
    torn = torn[np.argsort(same[torn], kind="stable")]
    found = []
    for rows in np.split(torn, np.flatnonzero(np.diff(same[torn])) + 1) if len(torn) else []:
        other = rows[numbers[rows] != numbers[rows[0]]][0]
        found.append(
            Conflict(
                rows=tuple(example.row for example in subset(examples, rows)),
                labels=dict(Counter(names[number] for number in numbers[rows].tolist()).most_common()),
                texts=(examples[int(rows[0])].text, examples[int(other)].text),
            )
        )
    return found


def _torn(labels: NDArray[np.int64], same: NDArray[np.int64]) -> NDArray[np.int64]:
    """Rows whose set of rows (named by its smallest) carries more than one label."""
    lowest, highest = labels.copy(), labels.copy()
    np.minimum.at(lowest, same, labels)
    np.maximum.at(highest, same, labels)
    return np.flatnonzero((lowest != highest)[same])


@dataclass(frozen=True, slots=True)
class _Known:
    """Rows that must not be trained on, what one of them is called, and what all of them are."""

    rows: Sequence[Example]
    name: str
    where: str


def _without(
    splits: Splits, part: str, known: _Known, policy: Policy, notes: list[str], threshold: float, progress: Progress, quote: Quote
) -> Splits:
    rows = dict(splits.items())[part]
    if not rows or not known.rows:
        return splits
    found = overlaps(column(rows, "text"), column(known.rows, "text"), threshold, progress)
    if not found:
        return splits
    near = sum(overlap.similarity < 1 for overlap in found)
    nearly = f", {near} of them nearly" if near else ""
    if policy == "refuse":
        pairs = [
            f"{part} row {rows[one.index].row} {'=' if one.similarity == 1 else '~'} {known.name} row {known.rows[one.other].row}"
            + (f" (Jaccard {one.similarity:.2f})" if one.similarity < 1 else "")
            for one in found[:3]
        ]
        raise CheckFailed(
            f"{len(found)} of {len(rows)} {part} rows also stand in {known.where}{nearly}; its scores would be of memory",
            given=", ".join(pairs) + (", ..." if len(found) > 3 else "") + f': "{quote(rows[found[0].index].text)[:60]}"',
            allowed=f"no text in both {part} and {known.name}",
            fix=f"remove them from one of the files, or set checks: {{leaks: drop}} to leave them out of {part}",
        )
    notes.append(f"{len(found)} {part} rows left out because their text also stands in {known.where}{nearly}")
    return _leave_out(splits, part, np.array([overlap.index for overlap in found]))


def _leave_out(splits: Splits, part: str, indices: NDArray[np.int64]) -> Splits:
    rows = dict(splits.items())[part]
    return replace(splits, **{part: subset(rows, np.delete(np.arange(len(rows)), indices))})


def _outside(rows: Sequence[Example], known: set[str]) -> NDArray[np.int64]:
    return np.flatnonzero(np.fromiter((label not in known for label in column(rows, "label")), dtype=bool))


def _refuse_unknown(rows: Sequence[Example], indices: NDArray[np.int64], known: set[str], part: str, where: str) -> None:
    if not len(indices):
        return
    unknown = subset(rows, indices)
    near = closest(unknown[0].label, known, 1)
    raise RowErrors(
        f"{len(unknown)} of {len(rows)} {part} rows carry labels that are not among {where}",
        rows=tuple((example.row, f"label {example.label!r}") for example in unknown),
        allowed=", ".join(sorted(known)[:8]) + (f", ... ({len(known)} in all)" if len(known) > 8 else ""),
        fix=(f"did you mean {near[0]!r}? " if near else "")
        + "correct the label, add training rows for it, or set checks: {drop_unknown_test_labels: true}",
    )
