"""Random forests, by scikit-learn."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

from hatrack.tabular.fitting.models.base import Sample
from hatrack.tabular.fitting.options import built
from hatrack.tabular.scorers.trees import TreeScorer

__all__ = ["Forest"]


class Forest:
    """Trees on resampled rows, each split on a few features; the margin is a probability."""

    keeps_monotone = True
    rounds_key = ""

    def grid(self, sample: Sample) -> list[dict[str, Any]]:
        big = len(sample.target) > 5000  # then a tree's leaves can hold more rows, and must, to stay small
        leaves = (20, 50, 5) if big else (3, 5, 10)
        return [{"min_samples_leaf": leaf, "max_features": share} for leaf in leaves for share in ("sqrt", 0.3)]

    def fit(self, sample: Sample, options: Mapping[str, Any], held_out: Sample | None = None) -> tuple[TreeScorer, int]:
        kind = RandomForestClassifier if sample.classes else RandomForestRegressor
        # two classes: scikit-learn turns the constraint to the second class; more are refused before this
        monotone = {"monotonic_cst": sample.monotone} if sample.monotone.any() else {}
        model = built(kind, {"n_estimators": 300, **monotone, **options}, "forest")
        model.set_params(random_state=sample.seed)
        model.fit(sample.matrix, sample.target, sample_weight=sample.weight)
        return _scorer([one.tree_ for one in model.estimators_], sample), 0


def _scorer(trees: list[Any], sample: Sample) -> TreeScorer:
    sizes = [tree.node_count for tree in trees]
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])

    def joined(name: str, shift: bool = False) -> np.ndarray:
        return np.concatenate([getattr(tree, name) + (start if shift else 0) for tree, start in zip(trees, starts, strict=True)])

    values = np.concatenate([tree.value[:, 0, :] for tree in trees])
    if sample.classes:
        values = values / values.sum(axis=1, keepdims=True)
        values = values[:, 1:] if sample.classes == 2 else values
    leaf = joined("children_left") < 0
    return TreeScorer(
        roots=starts.astype(np.int32),
        feature=np.where(leaf, -1, joined("feature")).astype(np.int32),
        threshold=np.where(leaf, 0.0, joined("threshold")),
        left=joined("children_left", shift=True).astype(np.int32),
        right=joined("children_right", shift=True).astype(np.int32),
        missing_left=joined("missing_go_to_left").astype(bool),
        value=values / len(trees),
        cover=joined("weighted_n_node_samples"),
        bias=np.zeros(values.shape[1]),
        width=np.array([sample.matrix.shape[1]], np.int32),
        single=np.array([True]),
        link="probability" if sample.classes else "value",
    )
