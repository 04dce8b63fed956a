"""Logistic regression on sentence embeddings: what a frozen encoder knows, and a model that trains in a second."""

from __future__ import annotations

from typing import Any

from hatrack.models.embedder import TextEmbedder
from hatrack.workflows.bakeoff.approaches.features import labels_and_texts
from hatrack.workflows.bakeoff.approaches.tfidf_logreg import Linear
from hatrack.workflows.bakeoff.base import Problem, Traits

__all__ = ["EmbeddingsLogreg"]

_C = 30.0  # embeddings have length one


class EmbeddingsLogreg:
    """See the module."""

    name = "embeddings-logreg"
    traits = Traits("logistic regression on a frozen encoder's embeddings", "classical")

    def obstacle(self, problem: Problem) -> str:
        return "" if problem.labels else "answers have no classes"

    def identity(self, problem: Problem) -> dict[str, Any]:
        return {"encoder": problem.encoder.fingerprint, "C": _C}

    def fit(self, problem: Problem) -> Linear:
        from sklearn.linear_model import LogisticRegression

        embed = TextEmbedder(problem.encoder)
        labels, texts = labels_and_texts(problem.train)
        model = LogisticRegression(C=_C, max_iter=300, tol=1e-3).fit(embed(texts), labels)
        return Linear(embed, model, 0)
