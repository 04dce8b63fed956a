"""XGBoost: regularised boosted trees, on a sample of rows and features each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from hatrack.core.errors import ConfigError
from hatrack.core.extras import require
from hatrack.tabular.fitting.models.base import Sample
from hatrack.tabular.fitting.options import known_options
from hatrack.tabular.scorers.boosted import BoostedScorer

__all__ = ["XGBoost", "continued"]

_PATIENCE = 30
# XGBoost itself only warns of a name that it does not know
_KNOWN = [
    *("rounds", "tree_method", "grow_policy", "subsample", "num_parallel_tree", "scale_pos_weight", "interaction_constraints"),
    *("eta", "learning_rate", "max_depth", "max_leaves", "max_bin", "max_delta_step", "min_child_weight"),
    *("colsample_bytree", "colsample_bylevel", "colsample_bynode"),
    *("alpha", "reg_alpha", "lambda", "reg_lambda", "gamma", "min_split_loss"),
]
_DEFAULT = {"subsample": 0.7, "tree_method": "hist", "min_child_weight": 3}


class XGBoost:
    """See the first line."""

    keeps_monotone = True
    rounds_key = "rounds"

    def grid(self, sample: Sample) -> list[dict[str, Any]]:
        return [
            {"max_depth": 3, "eta": 0.05, "colsample_bytree": 0.5},
            {"max_depth": 5, "eta": 0.05, "colsample_bytree": 0.5, "lambda": 10},
            {"max_depth": 2, "eta": 0.05, "colsample_bytree": 0.5},
            {"max_depth": 4, "eta": 0.03, "colsample_bytree": 0.3, "lambda": 5, "min_child_weight": 10},
            {"max_depth": 6, "eta": 0.03, "colsample_bytree": 0.3, "lambda": 10, "min_child_weight": 20},
            {"max_depth": 3, "eta": 0.1, "colsample_bytree": 0.8},
        ]

    def fit(self, sample: Sample, options: Mapping[str, Any], held_out: Sample | None = None) -> tuple[BoostedScorer, int]:
        xgboost = require("xgboost", extra="tables", reason="the model xgboost")
        known_options(options, _KNOWN, "xgboost")
        chosen = {**_DEFAULT, **options}
        rounds = int(chosen.pop("rounds", 1000 if held_out is not None else 200))
        beside: dict[str, Any] = {}
        if held_out is not None:
            beside = {"evals": [(_matrix(xgboost, held_out), "held_out")], "early_stopping_rounds": _PATIENCE, "verbose_eval": False}
        try:
            booster = xgboost.train({**_objective(sample), **chosen}, _matrix(xgboost, sample), rounds, **beside)
        except xgboost.core.XGBoostError as error:
            raise ConfigError(
                "XGBoost does not take these options", given=_first_line(error), allowed="the parameters of xgboost.train, and rounds"
            ) from error
        best = booster.best_iteration + 1 if held_out is not None else 0
        return BoostedScorer(booster[:best] if best else booster, "logit" if sample.classes else "value"), best


def continued(scorer: BoostedScorer, sample: Sample, options: Mapping[str, Any], rounds: int) -> BoostedScorer:
    """The same booster with ``rounds`` more steps on other rows."""
    xgboost = require("xgboost", extra="tables", reason="the model xgboost")
    chosen = {key: value for key, value in {**_DEFAULT, **options}.items() if key != "rounds"}
    booster = xgboost.train({**_objective(sample), **chosen}, _matrix(xgboost, sample), rounds, xgb_model=scorer.booster)
    return BoostedScorer(booster, scorer.link)


def _objective(sample: Sample) -> dict[str, Any]:
    found: dict[str, Any] = {"objective": "reg:squarederror"}
    if sample.classes == 2:
        found = {"objective": "binary:logistic"}
    elif sample.classes:
        found = {"objective": "multi:softprob", "num_class": sample.classes}
    if sample.monotone.any():
        found["monotone_constraints"] = "(" + ",".join(str(int(sign)) for sign in sample.monotone) + ")"
    return {**found, "seed": sample.seed, "validate_parameters": True, "verbosity": 0}


def _matrix(xgboost: Any, sample: Sample) -> Any:
    return xgboost.DMatrix(sample.matrix.astype(np.float32), sample.target, weight=sample.weight)


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return next((line for line in lines if "arameter" in line or "Invalid" in line), lines[0])[:200]
