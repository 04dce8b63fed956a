"""How much of a reference text an answer says: exact match, token F1, ROUGE-L, chrF."""

from __future__ import annotations

import importlib.util
from collections import Counter
from typing import Any

import numpy as np

from hatrack.core.extras import require
from hatrack.data.records import normalised
from hatrack.evaluation.metrics.base import Answers, Rows

__all__ = ["ChrF", "ExactMatch", "RougeL", "TokenF1"]

_BETA = 2  # of chrF2: recall counts so many times as much as precision


class ExactMatch:
    """Share of answers equal to the reference but for case, punctuation and white space."""

    name = "exact_match"
    right_or_wrong = True
    higher_is_better = True

    def applies(self, answers: Answers) -> bool:
        return _free(answers)

    def rows(self, answers: Answers) -> Rows:
        return np.array([[normalised(g) == normalised(e)] for g, e in zip(answers.given, answers.expected, strict=True)], float)

    def total(self, rows: Rows) -> float:
        return float(rows.mean())


class TokenF1:
    """Mean over rows of the harmonic mean of word precision and recall (Rajpurkar et al. 2016), case and punctuation aside."""

    name = "token_f1"
    right_or_wrong = False
    higher_is_better = True

    def applies(self, answers: Answers) -> bool:
        return _free(answers)

    def rows(self, answers: Answers) -> Rows:
        return np.array([[_f1(_words(g), _words(e))] for g, e in zip(answers.given, answers.expected, strict=True)], float)

    def total(self, rows: Rows) -> float:
        return float(rows.mean())


class RougeL:
    """Mean over rows of the F-measure of the longest common subsequence of words (Lin 2004; Google's rouge-score).

    Words are runs of letters and digits of any script; on English text that is the package's own rule.
    """

    name = "rouge_l"
    right_or_wrong = False
    higher_is_better = True

    def applies(self, answers: Answers) -> bool:
        return _free(answers) and _installed("rouge_score")

    def rows(self, answers: Answers) -> Rows:
        rouge = require("rouge_score.rouge_scorer", extra="metrics", reason="ROUGE-L")
        scorer = rouge.RougeScorer(["rougeL"], tokenizer=_AnyScript())

        def one(given: str, expected: str) -> float:
            if not _split(given) or not _split(expected):
                return float(_split(given) == _split(expected))
            return float(scorer.score(expected, given)["rougeL"].fmeasure)

        return np.array([[one(g, e)] for g, e in zip(answers.given, answers.expected, strict=True)], float)

    def total(self, rows: Rows) -> float:
        return float(rows.mean())


class ChrF:
    """chrF2 over all rows together, 0 to 1: character n-grams up to 6 (Popovic 2015; sacrebleu, whose scale is 0 to 100)."""

    name = "chrf"
    right_or_wrong = False
    higher_is_better = True

    def applies(self, answers: Answers) -> bool:
        return _free(answers) and _installed("sacrebleu")

    def rows(self, answers: Answers) -> Rows:
        metric: Any = require("sacrebleu.metrics", extra="metrics", reason="chrF").CHRF()
        # the counts that sacrebleu itself adds up over a corpus: n-grams of answer, of reference, and shared, for each n
        return np.array(metric._extract_corpus_statistics(list(answers.given), [list(answers.expected)]), float)

    def total(self, rows: Rows) -> float:
        given, expected, shared = rows.sum(axis=0).reshape(-1, 3).T
        if not given.any() and not expected.any():
            return 1.0  # nothing was expected and nothing was said
        counted = (given > 0) & (expected > 0)
        if not counted.any() or not shared.any():
            return 0.0
        precision, recall = (shared[counted] / given[counted]).mean(), (shared[counted] / expected[counted]).mean()
        return float((1 + _BETA**2) * precision * recall / (_BETA**2 * precision + recall))


class _AnyScript:
    """What rouge-score asks of a tokenizer."""

    def tokenize(self, text: str) -> list[str]:
        return _split(text)


def _free(answers: Answers) -> bool:
    return not answers.labels and answers.likelihoods is None


def _installed(package: str) -> bool:
    return importlib.util.find_spec(package) is not None


def _split(text: str) -> list[str]:
    return "".join(c if c.isalnum() else " " for c in text.casefold()).split()


def _words(text: str) -> Counter[str]:
    return Counter(_split(text))


def _f1(given: Counter[str], expected: Counter[str]) -> float:
    if not given or not expected:
        return float(given == expected)
    common = (given & expected).total()
    return 2 * common / (given.total() + expected.total())
