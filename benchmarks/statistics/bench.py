"""Does a 95 % interval cover the truth 95 times in 100? A thousand simulated test sets for each kind of figure.

The truth is known because the rows are drawn from a known distribution; both systems answer the same rows, and their
results on a row are correlated, as they are for real systems.

    accuracy    difference of two accuracies, 200 rows
    token_f1    difference of two means of skewed scores with many zeros and ones, 200 rows
    macro_f1    difference of two macro-F1 over five classes of unequal size, 300 rows
    false_alarm share of sets of two equal systems in which McNemar's or the permutation test says p < 0.05
"""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np

from hatrack.evaluation.metrics.classification import MacroF1
from hatrack.evaluation.statistics import bca_interval, mcnemar_p, permutation_p

SETS = 1000
SHARES = np.array([0.4, 0.25, 0.2, 0.1, 0.05])


def difference(rows: np.ndarray) -> float:
    return float(rows[:, 0].mean() - rows[:, 1].mean())


def accuracies(rng: np.random.Generator, n: int, gain: float = 0.0) -> np.ndarray:
    skill = rng.random(n)  # how easy the row is, for both
    return np.column_stack([rng.random(n) < 0.3 + 0.6 * skill + gain, rng.random(n) < 0.3 + 0.6 * skill]).astype(float)


def overlaps(rng: np.random.Generator, n: int) -> np.ndarray:
    skill = rng.beta(1.2, 1.5, n)
    both = np.column_stack([np.clip(skill + rng.normal(0.05, 0.2, n), 0, 1), np.clip(skill + rng.normal(0, 0.2, n), 0, 1)])
    return np.where(rng.random((n, 2)) < 0.1, 0.0, both)


def classes(rng: np.random.Generator, n: int) -> np.ndarray:
    expected = rng.choice(5, n, p=SHARES)
    answers = [np.where(rng.random(n) < right, expected, rng.choice(5, n, p=SHARES)) for right in (0.75, 0.65)]
    return np.column_stack([answers[0], expected, answers[1], expected]).astype(float)


def macro(rows: np.ndarray) -> float:
    return MacroF1().total(rows[:, :2]) - MacroF1().total(rows[:, 2:])


def coverage(draw, total, n: int, truth: float) -> float:
    covered = 0
    for seed in range(SETS):
        interval = bca_interval(total, draw(np.random.default_rng(seed), n), 0.95, seed)
        covered += interval.low <= truth <= interval.high
    return covered / SETS


def run(data: Path, work: Path) -> dict[str, float]:
    many = np.random.default_rng(10**6)
    cases = {
        "accuracy": (lambda rng, n: accuracies(rng, n, 0.05), difference, 200),
        "token_f1": (overlaps, difference, 200),
        "macro_f1": (classes, macro, 300),
    }
    claims = {}
    for name, (draw, total, n) in cases.items():
        truth = total(draw(many, 2_000_000))
        claims[f"coverage_{name}"] = coverage(draw, total, n, truth)
        print(time.strftime("%H:%M:%S"), name, claims[f"coverage_{name}"], flush=True)
    equal = [accuracies(np.random.default_rng(seed), 200) for seed in range(SETS)]
    claims["false_alarm_mcnemar"] = float(np.mean([mcnemar_p(rows[:, 0], rows[:, 1]) < 0.05 for rows in equal]))
    p_values = [permutation_p(lambda r: float(r.mean()), rows[:, :1], rows[:, 1:], seed, 500) for seed, rows in enumerate(equal)]
    claims["false_alarm_permutation"] = float(np.mean(np.array(p_values) < 0.05))
    return claims
