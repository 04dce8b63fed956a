"""Figures of tasks without an answer to compare: how likely the system finds the texts of the test rows."""

from __future__ import annotations

import numpy as np

from hatrack.evaluation.metrics.base import Answers, Rows

__all__ = ["Perplexity", "PreferenceAccuracy", "RewardAccuracy"]


class Perplexity:
    """``exp`` of the mean negative log-probability over all tokens of all rows: lower is better, 1 is certainty.

    Comparable only between systems that cut text into the same tokens, as an adapter and its base do.
    """

    name = "perplexity"
    right_or_wrong = False
    higher_is_better = False

    def applies(self, answers: Answers) -> bool:
        return _texts(answers) == 1

    def rows(self, answers: Answers) -> Rows:
        return _array(answers.likelihoods)[:, 0]

    def total(self, rows: Rows) -> float:
        return float(np.exp(-rows[:, 0].sum() / rows[:, 1].sum()))


class PreferenceAccuracy:
    """Share of pairs in which the better answer has the higher log-probability for each token; a tie is wrong."""

    name = "preference_accuracy"
    right_or_wrong = True
    higher_is_better = True

    def applies(self, answers: Answers) -> bool:
        return _texts(answers) == 2

    def rows(self, answers: Answers) -> Rows:
        pairs = _array(answers.likelihoods)
        each = pairs[:, :, 0] / pairs[:, :, 1]
        return (each[:, :1] > each[:, 1:]).astype(np.float64)

    def total(self, rows: Rows) -> float:
        return float(rows.mean())


class RewardAccuracy:
    """Share of pairs whose better answer gained more log-probability over the reference than the worse one.

    That gain is the implicit reward of Rafailov et al. 2023 (eq. 5, up to its factor). A tie counts half: the reference,
    which gains nothing over itself, has 0.5, which is chance.
    """

    name = "reward_accuracy"
    right_or_wrong = False
    higher_is_better = True

    def applies(self, answers: Answers) -> bool:
        return _texts(answers) == 2 and answers.reference is not None

    def rows(self, answers: Answers) -> Rows:
        gains = _array(answers.likelihoods)[:, :, 0] - _array(answers.reference)[:, :, 0]
        return (np.sign(gains[:, :1] - gains[:, 1:]) + 1) / 2

    def total(self, rows: Rows) -> float:
        return float(rows.mean())


def _texts(answers: Answers) -> int:
    return 0 if answers.likelihoods is None else answers.likelihoods.shape[1]


def _array(values: Rows | None) -> Rows:
    if values is None:
        raise ValueError("this metric does not apply to these answers")  # callers ask `applies` first
    return values
