"""Accuracy, macro-F1 and micro-F1."""

from __future__ import annotations

import numpy as np

from hatrack.evaluation.metrics.base import Answers, Rows

__all__ = ["Accuracy", "MacroF1", "MicroF1"]


class Accuracy:
    """Share of answers that equal the expected one; for instruct this is exact match."""

    name = "accuracy"
    right_or_wrong = True
    higher_is_better = True

    def applies(self, answers: Answers) -> bool:
        return answers.likelihoods is None

    def rows(self, answers: Answers) -> Rows:
        return np.array([[given == expected] for given, expected in zip(answers.given, answers.expected, strict=True)], float)

    def total(self, rows: Rows) -> float:
        return float(rows.mean())


class MacroF1:
    """Unweighted mean of the F1 of every class that is expected in the rows at hand (scikit-learn's, with those labels).

    An answer that is none of the labels is a miss of its class and counts against no other.
    """

    name = "macro_f1"
    right_or_wrong = False
    higher_is_better = True

    def applies(self, answers: Answers) -> bool:
        return bool(answers.labels)

    def rows(self, answers: Answers) -> Rows:
        number = {label: i for i, label in enumerate(answers.labels)}
        none = float(len(number))
        pairs = zip(answers.given, answers.expected, strict=True)
        return np.array([[number.get(given, none), number[expected]] for given, expected in pairs], float)

    def total(self, rows: Rows) -> float:
        given, expected = rows[:, 0].astype(int), rows[:, 1].astype(int)
        size = int(max(given.max(), expected.max())) + 1
        hits = np.bincount(expected[given == expected], minlength=size)
        asked, answered = np.bincount(expected, minlength=size), np.bincount(given, minlength=size)
        present = asked > 0
        return float((2 * hits[present] / (asked + answered)[present]).mean())


class MicroF1:
    """F1 over all decisions together: ``2 hits / (answers that are labels + rows)``.

    Where every answer is a label it equals accuracy; an answer outside the labels costs recall and no precision.
    """

    name = "micro_f1"
    right_or_wrong = False
    higher_is_better = True

    def applies(self, answers: Answers) -> bool:
        return bool(answers.labels)

    def rows(self, answers: Answers) -> Rows:
        known = set(answers.labels)
        return np.array([[g == e, g in known] for g, e in zip(answers.given, answers.expected, strict=True)], float)

    def total(self, rows: Rows) -> float:
        return float(2 * rows[:, 0].sum() / (rows[:, 1].sum() + len(rows)))
