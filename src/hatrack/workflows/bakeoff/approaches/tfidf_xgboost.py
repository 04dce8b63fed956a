"""Gradient-boosted trees on words: the strongest classical model where words act together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from hatrack.core.extras import require
from hatrack.data.records import Example
from hatrack.workflows.bakeoff.approaches.features import labels_and_texts, vocabulary_bytes, word_features
from hatrack.workflows.bakeoff.base import Problem, Traits

__all__ = ["TfidfXgboost"]

_WORDS = 2000
_PARAMETERS = {"max_depth": 4, "eta": 0.3, "tree_method": "hist", "max_bin": 32, "verbosity": 0}
_TREES = 3000  # in all; each round grows one for each class
_ROUNDS = (10, 150)


class _Trees:
    tokens = (0, 0)

    def __init__(self, features: Any, booster: Any, classes: list[str], module: Any) -> None:
        self._features, self._booster, self._classes, self._module = features, booster, classes, module
        self.nbytes = len(booster.save_raw("ubj")) + vocabulary_bytes(features)
        self.parameters = int(booster.trees_to_dataframe()["Feature"].size)  # one number for each node: a threshold or a leaf

    def answer(self, rows: Sequence[Example]) -> list[str]:
        matrix = self._module.DMatrix(self._features.transform([row.text for row in rows]))
        scores = self._booster.predict(matrix)
        return [self._classes[i] for i in np.asarray(scores).argmax(axis=1)]


class TfidfXgboost:
    """See the module."""

    name = "tfidf-xgboost"
    traits = Traits("gradient-boosted trees on TF-IDF of words", "classical", explainable=True)

    def obstacle(self, problem: Problem) -> str:
        return "" if problem.labels else "answers have no classes"

    def identity(self, problem: Problem) -> dict[str, Any]:
        return {"words": _WORDS, "trees": _TREES, **_PARAMETERS}

    def fit(self, problem: Problem) -> _Trees:
        xgboost = require("xgboost", extra="compare", reason="the approach tfidf-xgboost")
        import torch

        labels, texts = labels_and_texts(problem.train)
        classes = sorted(set(labels))
        number = {label: i for i, label in enumerate(classes)}
        features = word_features(_WORDS)
        matrix = xgboost.DMatrix(features.fit_transform(texts), label=[number[label] for label in labels])
        rounds = int(np.clip(_TREES // len(classes), *_ROUNDS))
        settings = {**_PARAMETERS, "objective": "multi:softprob", "num_class": len(classes), "seed": problem.seed}
        booster = xgboost.train({**settings, "nthread": torch.get_num_threads()}, matrix, rounds)
        return _Trees(features, booster, classes, xgboost)
