"""Token F1: how many words answer and reference share (Rajpurkar et al. 2016, SQuAD)."""

from __future__ import annotations

from collections import Counter

import numpy as np

from hatrack.evaluation.metrics.base import Answers, Rows

__all__ = ["TokenF1"]


class TokenF1:
    """Mean over rows of the harmonic mean of word precision and recall, case and punctuation aside."""

    name = "token_f1"
    right_or_wrong = False
    higher_is_better = True

    def applies(self, answers: Answers) -> bool:
        return not answers.labels and answers.likelihoods is None

    def rows(self, answers: Answers) -> Rows:
        return np.array([[_f1(_words(g), _words(e))] for g, e in zip(answers.given, answers.expected, strict=True)], float)

    def total(self, rows: Rows) -> float:
        return float(rows.mean())


def _words(text: str) -> Counter[str]:
    return Counter("".join(c if c.isalnum() else " " for c in text.casefold()).split())


def _f1(given: Counter[str], expected: Counter[str]) -> float:
    if not given or not expected:
        return float(given == expected)
    common = (given & expected).total()
    return 2 * common / (given.total() + expected.total())
