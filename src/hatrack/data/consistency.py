"""What the splits must not contain: test rows that were trained on, labels nobody taught, one text with two labels."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from hatrack.core.config import AdapterConfig
from hatrack.core.errors import CheckFailed, RowErrors
from hatrack.core.names import closest
from hatrack.data.records import Example, Splits, normalised

__all__ = ["check_conflicts", "check_labels", "remove_leaks"]


def remove_leaks(splits: Splits, policy: Literal["refuse", "drop"], notes: list[str]) -> Splits:
    """Training and validation rows whose text also stands in the test set: refused, or dropped and counted.

    Raises:
        CheckFailed: there are some and the policy is to refuse; the pairs are shown.
    """
    for held_out in ("test", "validation"):
        rows = dict(splits.items())
        known = {normalised(example.text): example for example in rows[held_out]}
        for part in ("train", "validation"):
            if part == held_out or not rows[held_out]:
                continue
            leaked = [example for example in rows[part] if normalised(example.text) in known]
            if not leaked:
                continue
            if policy == "refuse":
                pairs = ", ".join(f"{part} row {e.row} = {held_out} row {known[normalised(e.text)].row}" for e in leaked[:3])
                raise CheckFailed(
                    f"{len(leaked)} of {len(rows[part])} {part} rows also stand in the {held_out} set; its scores would be of memory",
                    given=pairs + (", ..." if len(leaked) > 3 else "") + f': "{leaked[0].text[:60]}"',
                    allowed=f"no text in both {part} and {held_out}",
                    fix=f"remove them from one of the files, or set checks: {{leaks: drop}} to leave them out of {part}",
                )
            kept = [example for example in rows[part] if normalised(example.text) not in known]
            notes.append(f"{len(leaked)} {part} rows left out because their text also stands in the {held_out} set")
            splits = replace(splits, **{part: kept})
    return splits


def check_labels(splits: Splits, config: AdapterConfig, notes: list[str]) -> tuple[Splits, tuple[str, ...]]:
    """The classes, sorted; every label that is tested must be taught.

    Raises:
        RowErrors: a label outside ``labels`` of the config, or one that no training row carries.
        CheckFailed: fewer than two classes.
    """
    taught = {example.label for example in splits.train}
    labels = tuple(sorted(config.labels or taught))
    if config.labels:
        _refuse_unknown(splits.train, set(labels), "train", "the labels listed in hatrack.yaml")
    if len(labels) < 2:
        raise CheckFailed("there is nothing to tell apart", given=f"labels: {', '.join(labels)}", allowed="at least two labels")
    never = sorted(set(labels) - taught)
    if never:
        notes.append(f"{len(never)} labels have no training row: {', '.join(never[:5])}")
    known = set(labels) & taught
    for part in ("validation", "test"):
        rows = dict(splits.items())[part]
        unknown = [example for example in rows if example.label not in known]
        if unknown and config.checks.drop_unknown_test_labels:
            notes.append(f"{len(unknown)} {part} rows left out: their labels are not in the training rows")
            splits = replace(splits, **{part: [example for example in rows if example.label in known]})
        else:
            _refuse_unknown(rows, known, part, "the labels of the training rows")
    return splits, labels


def check_conflicts(splits: Splits, limit: float, notes: list[str]) -> None:
    """One text with two labels cannot be learned and makes every score a matter of chance.

    Raises:
        CheckFailed: more than ``limit`` of the rows.
    """
    seen: dict[str, Counter[str]] = defaultdict(Counter)
    rows = [example for _, part in splits.items() for example in part]
    for example in rows:
        seen[normalised(example.text)][example.label] += 1
    torn = {text: labels for text, labels in seen.items() if len(labels) > 1}
    count = sum(sum(labels.values()) for labels in torn.values())
    if not count:
        return
    text, labels = next(iter(torn.items()))
    shown = f'"{text[:60]}" is {" and ".join(sorted(labels))}'
    if count > limit * len(rows):
        raise CheckFailed(
            f"{count} rows have the same text and different labels",
            given=f"{count / len(rows):.1%} of the rows, for instance {shown}",
            allowed=f"{limit:.1%} (checks.max_conflicts)",
            fix="decide which label is right, or give the rows the context that tells them apart",
        )
    notes.append(f"{count} rows have the same text and different labels, for instance {shown}")


def _refuse_unknown(rows: Sequence[Example], known: set[str], part: str, where: str) -> None:
    unknown = [example for example in rows if example.label not in known]
    if not unknown:
        return
    near = closest(unknown[0].label, known, 1)
    raise RowErrors(
        f"{len(unknown)} of {len(rows)} {part} rows carry labels that are not among {where}",
        rows=tuple((example.row, f"label {example.label!r}") for example in unknown),
        allowed=", ".join(sorted(known)[:8]) + (f", ... ({len(known)} in all)" if len(known) > 8 else ""),
        fix=(f"did you mean {near[0]!r}? " if near else "")
        + "correct the label, add training rows for it, or set checks: {drop_unknown_test_labels: true}",
    )
