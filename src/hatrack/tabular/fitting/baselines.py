"""What every model is measured against: knowing only how common each class is, and a plain linear model with defaults."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from hatrack.tabular.decision import Decision
from hatrack.tabular.fitting.encode import fit_encoding
from hatrack.tabular.fitting.fit import Ground
from hatrack.tabular.fitting.models.base import Sample
from hatrack.tabular.fitting.models.linear import Linear
from hatrack.tabular.fitting.threshold import best_threshold
from hatrack.tabular.model import Card, TableModel
from hatrack.tabular.scorers.linear import LinearScorer

__all__ = ["Baseline", "baselines"]


@dataclass(frozen=True)
class Baseline:
    """One thing to beat."""

    name: str
    description: str
    model: TableModel
    seconds: float


def baselines(ground: Ground) -> list[Baseline]:
    """``constant`` and ``plain``. Thresholds are chosen for the stated costs too, so that the baseline has its best chance."""
    begin = time.perf_counter()
    truth, classes = ground.truth(ground.train), len(ground.target.classes)
    encoding = fit_encoding(ground.train, ground.kinds, truth, classes=classes, vectors=ground.vectors)
    matrix = encoding.encode(ground.train)
    sample = Sample(matrix, truth, np.ones(len(truth)), classes, np.zeros(matrix.shape[1], np.int64), ground.config.seed)
    plain, _ = Linear().fit(sample, {})
    constant = _constant(sample)
    seconds = time.perf_counter() - begin
    found = []
    for name, words, scorer in (
        ("constant", "the same answer to every row: how common each class is, or the mean", constant),
        ("plain", "logistic regression with defaults" if classes else "ridge regression with defaults", plain),
    ):
        card = Card(
            target=ground.config.target,
            task=ground.target.task,
            model=name,
            scorer="linear",
            encoding=encoding,
            recipes=ground.config.features,
            inputs=ground.inputs,
            decision=_decision(ground, scorer, sample) if classes else None,
        )
        found.append(Baseline(name, words, TableModel(card, scorer), seconds if name == "plain" else 0.0))
    return found


def _constant(sample: Sample) -> LinearScorer:
    width = sample.matrix.shape[1]
    if sample.classes:
        shares = np.bincount(sample.target.astype(int), minlength=sample.classes) / len(sample.target)
        bias = np.log(shares / (1 - shares))[1:] if sample.classes == 2 else np.log(shares)
    else:
        bias = np.array([sample.target.mean()])
    nothing = np.zeros(width)
    return LinearScorer(nothing, nothing, np.ones(width), np.zeros((len(bias), width)), bias, "logit" if sample.classes else "value")


def _decision(ground: Ground, scorer: LinearScorer, sample: Sample) -> Decision:
    decision = Decision(classes=ground.target.classes, costs=ground.target.costs)
    if sample.classes != 2 or ground.target.costs is None:
        return decision
    positive = 1 / (1 + np.exp(-scorer.margins(sample.matrix)[:, 0]))
    threshold = best_threshold(positive, sample.target.astype(np.int64), ground.target.costs, sample.seed)
    return decision.model_copy(update={"threshold": threshold})
