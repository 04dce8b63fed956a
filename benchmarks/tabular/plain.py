"""The peer: plain scikit-learn pipelines on data frames, as a tutorial writes them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

Pair = tuple[Callable[[], object], Callable[[list[dict[str, Any]]], np.ndarray]]


def plain_pipelines(ground: Any) -> dict[str, Pair]:
    """Name to a function that fits and one that gives the probability of the positive class of rows."""
    numbers = [name for name, kind in ground.kinds.items() if kind == "number"]
    levels = [name for name, kind in ground.kinds.items() if kind != "number"]

    def frame(rows: list[dict[str, Any]]) -> pd.DataFrame:
        made = pd.DataFrame(rows)[[*numbers, *levels]]
        return made.astype(dict.fromkeys(numbers, float))

    train, truth = frame(ground.train.rows()), ground.truth(ground.train)
    models = {
        "logistic": LogisticRegression(max_iter=2000),
        "forest": RandomForestClassifier(random_state=13),
        "histogram": HistGradientBoostingClassifier(random_state=13),
    }

    def pair(model: Any) -> Pair:
        columns = make_column_transformer(
            (StandardScaler(), numbers), (OneHotEncoder(handle_unknown="ignore", sparse_output=False), levels)
        )
        pipeline = make_pipeline(columns, model)
        return lambda: pipeline.fit(train, truth), lambda rows: pipeline.predict_proba(frame(rows))[:, 1]

    return {name: pair(model) for name, model in models.items()}
