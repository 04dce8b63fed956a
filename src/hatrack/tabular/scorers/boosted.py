"""XGBoost: its own file (UBJSON), its own prediction, its own exact SHAP values."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from hatrack.core.extras import require
from hatrack.tabular.scorers.arrays import broken
from hatrack.tabular.scorers.base import Array, Link

__all__ = ["BoostedScorer"]


@dataclass(frozen=True)
class BoostedScorer:
    """A booster, as XGBoost keeps it."""

    booster: Any
    link: Link
    kind = "xgboost"

    def margins(self, matrix: Array) -> Array:
        found = self.booster.inplace_predict(matrix, predict_type="margin")
        return np.asarray(found, np.float64).reshape(len(matrix), -1)

    def contributions(self, matrix: Array) -> tuple[Array, Array]:
        xgboost = require("xgboost", extra="tables", reason="this table model")
        found = np.asarray(self.booster.predict(xgboost.DMatrix(matrix, nthread=1), pred_contribs=True), np.float64)
        by_output = found.reshape(len(matrix), -1, matrix.shape[1] + 1)
        return by_output[:, :, :-1], by_output[0, :, -1]

    def save(self, folder: Path, name: str) -> None:
        self.booster.set_attr(link=self.link)
        (folder / f"{name}.ubj").write_bytes(self.booster.save_raw("ubj"))

    @classmethod
    def load(cls, folder: Path, name: str) -> Self:
        xgboost = require("xgboost", extra="tables", reason="this table model")
        path = folder / f"{name}.ubj"
        try:
            booster = xgboost.Booster(model_file=bytearray(path.read_bytes()))
        except (OSError, xgboost.core.XGBoostError) as error:
            raise broken(path, "XGBoost cannot read it") from error
        booster.set_param({"nthread": 1})  # one row is not worth a second thread, and a server has other work for it
        return cls(booster, booster.attr("link") or "logit")
