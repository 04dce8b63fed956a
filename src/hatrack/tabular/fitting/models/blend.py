"""A blend of a linear model, a forest and XGBoost: three that err differently, averaged."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from hatrack.tabular.fitting.models.base import TABLE_MODELS, Sample
from hatrack.tabular.fitting.options import known_options
from hatrack.tabular.scorers.base import Scorer
from hatrack.tabular.scorers.blend import BlendScorer

__all__ = ["MEMBERS", "Blend"]

MEMBERS = ("linear", "forest", "xgboost")


class Blend:
    """Margins are brought to mean zero and spread one over the training rows, then averaged; all members count the same.

    Options are those of the members: ``{linear: {...}, forest: {...}, xgboost: {...}}``.
    """

    keeps_monotone = False
    rounds_key = ""

    def grid(self, sample: Sample) -> list[dict[str, Any]]:
        grids = {name: TABLE_MODELS.get(name)().grid(sample) for name in MEMBERS}
        picks = ((2, 0, 0), (3, 1, 3), (1, 2, 0), (3, 0, 2), (0, 0, 1), (2, 4, 4))
        return [{name: grids[name][min(place, len(grids[name]) - 1)] for name, place in zip(MEMBERS, pick, strict=True)} for pick in picks]

    def fit(self, sample: Sample, options: Mapping[str, Any], held_out: Sample | None = None) -> tuple[BlendScorer, int]:
        known_options(options, list(MEMBERS), "blend")
        members: list[Scorer] = []
        for name in MEMBERS:
            scorer, _ = TABLE_MODELS.get(name)().fit(sample, options.get(name, {}))
            members.append(scorer)
        margins = [member.margins(sample.matrix) for member in members]
        if not sample.classes:  # a value stays in its own unit
            spread = [1.0] * len(members)
        else:
            spread = [max(float(margin.std(axis=0).mean()), 1e-9) for margin in margins]
        weights = np.array([np.full(margin.shape[1], 1 / s / len(members)) for margin, s in zip(margins, spread, strict=True)])
        middle = sum(margin.mean(axis=0) * weight for margin, weight in zip(margins, weights, strict=True))
        # of many classes the differences count, and their means say how common each is
        shift = -np.asarray(middle, np.float64) if sample.classes == 2 else np.zeros(weights.shape[1])
        return BlendScorer(tuple(members), weights, shift, "logit" if sample.classes else "value"), 0
