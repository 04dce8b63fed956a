"""Histogram gradient boosting, by scikit-learn."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

from hatrack.tabular.fitting.models.base import Sample
from hatrack.tabular.fitting.options import built
from hatrack.tabular.scorers.trees import TreeScorer

__all__ = ["Histogram"]

_PATIENCE = 20


class Histogram:
    """Boosted trees on binned features; takes missing numbers as they are."""

    keeps_monotone = True
    rounds_key = "max_iter"

    def grid(self, sample: Sample) -> list[dict[str, Any]]:
        small = {"learning_rate": 0.05, "min_samples_leaf": 20}
        return [
            {**small, "max_leaf_nodes": 8, "l2_regularization": 1.0},
            {**small, "max_leaf_nodes": 16, "l2_regularization": 10.0},
            {**small, "max_leaf_nodes": 4, "l2_regularization": 1.0},
            {**small, "max_leaf_nodes": 31, "l2_regularization": 30.0, "max_features": 0.5},
            {**small, "max_leaf_nodes": 8, "max_features": 0.3},
            {**small, "learning_rate": 0.1, "max_leaf_nodes": 16},
        ]

    def fit(self, sample: Sample, options: Mapping[str, Any], held_out: Sample | None = None) -> tuple[TreeScorer, int]:
        kind = HistGradientBoostingClassifier if sample.classes else HistGradientBoostingRegressor
        stop = {"early_stopping": True, "n_iter_no_change": _PATIENCE} if held_out is not None else {"early_stopping": False}
        monotone = {"monotonic_cst": sample.monotone} if sample.monotone.any() else {}
        model = built(kind, {"max_iter": 600 if held_out is not None else 200, **stop, **monotone, **options}, "histogram")
        model.set_params(random_state=sample.seed)
        beside = {} if held_out is None else {"X_val": held_out.matrix, "y_val": held_out.target, "sample_weight_val": held_out.weight}
        model.fit(sample.matrix, sample.target, sample_weight=sample.weight, **beside)
        rounds = 0
        if held_out is not None:
            rounds = max(1, int(np.argmax(model.validation_score_)))  # the first score is that of no tree at all
            model._predictors = model._predictors[:rounds]
        return _scorer(model, sample), rounds


def _scorer(model: Any, sample: Sample) -> TreeScorer:
    """scikit-learn has no public way to its trees; ``tests/tabular`` compares what comes of them with its predictions."""
    steps = [(output, predictor.nodes) for step in model._predictors for output, predictor in enumerate(step)]
    starts = np.concatenate([[0], np.cumsum([len(nodes) for _, nodes in steps])[:-1]])
    nodes = np.concatenate([nodes for _, nodes in steps])
    shift = np.repeat(starts, [len(nodes) for _, nodes in steps])
    leaf = nodes["is_leaf"] == 1
    bias = np.asarray(model._baseline_prediction, np.float64).ravel()
    value = np.zeros((len(nodes), len(bias)))
    value[np.arange(len(nodes)), np.repeat([output for output, _ in steps], [len(nodes) for _, nodes in steps])] = nodes["value"]
    return TreeScorer(
        roots=starts.astype(np.int32),
        feature=np.where(leaf, -1, nodes["feature_idx"]).astype(np.int32),
        threshold=np.where(leaf, 0.0, nodes["num_threshold"]),
        left=(nodes["left"] + shift).astype(np.int32),
        right=(nodes["right"] + shift).astype(np.int32),
        missing_left=nodes["missing_go_to_left"] == 1,
        value=value,
        cover=nodes["count"].astype(np.float64),
        bias=bias,
        width=np.array([sample.matrix.shape[1]], np.int32),
        single=np.array([False]),
        link="logit" if sample.classes else "value",
    )
