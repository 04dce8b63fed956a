"""Logistic regression on words: seconds to train, and each word's weight can be read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hatrack.data.records import Example
from hatrack.workflows.bakeoff.approaches.features import labels_and_texts, vocabulary_bytes, word_features
from hatrack.workflows.bakeoff.base import Problem, Traits

__all__ = ["Linear", "TfidfLogreg"]

_C = 10.0  # inverse penalty: TF-IDF rows have length one, and the default of 1 fits them too little


class Linear:
    """A linear classifier on features of texts."""

    tokens = (0, 0)

    def __init__(self, features: Any, model: Any, nbytes: int) -> None:
        self._features, self._model = features, model
        self.parameters = int(model.coef_.size + model.intercept_.size)
        self.nbytes = nbytes + 4 * self.parameters

    def answer(self, rows: Sequence[Example]) -> list[str]:
        return [str(label) for label in self._model.predict(self._features([row.text for row in rows]))]


class TfidfLogreg:
    """See the module."""

    name = "tfidf-logreg"
    traits = Traits("logistic regression on TF-IDF of words and letters", "classical", explainable=True)

    def obstacle(self, problem: Problem) -> str:
        return "" if problem.labels else "answers have no classes"

    def identity(self, problem: Problem) -> dict[str, Any]:
        return {"C": _C}

    def fit(self, problem: Problem) -> Linear:
        from sklearn.linear_model import LogisticRegression

        labels, texts = labels_and_texts(problem.train)
        features = word_features()
        model = LogisticRegression(C=_C, max_iter=200, tol=1e-3).fit(features.fit_transform(texts), labels)
        return Linear(features.transform, model, vocabulary_bytes(features))
