"""Columns that tell the target nearly alone: mostly they were written down after it was known."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import numpy.typing as npt
from sklearn.metrics import r2_score, roc_auc_score
from sklearn.model_selection import KFold, StratifiedKFold, cross_val_predict
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from hatrack.core.errors import CheckFailed
from hatrack.tabular.encoding import Encoding

__all__ = ["leak_suspects", "refuse_leaks"]

_AUC = 0.99
_R2 = 0.999
_ROWS = 5000  # enough to see a leak
Array = npt.NDArray[np.float64]


def leak_suspects(matrix: Array, target: Array, encoding: Encoding, *, classes: int, seed: int) -> dict[str, float]:
    """Columns from which a small tree alone reaches an AUC of 0.99 (an R² of 0.999) in cross-validation, and what it reaches."""
    rng = np.random.default_rng(seed)
    rows = rng.choice(len(target), min(len(target), _ROWS), replace=False)
    truth, found = target[rows], {}
    for number, column in enumerate(encoding.columns):
        part = matrix[np.ix_(rows, np.flatnonzero(encoding.owner == number))]
        if part.shape[1] == 0:
            continue
        score = _alone(part, truth, classes, seed)
        if score >= (_AUC if classes else _R2):
            found[column.name] = score
    return found


def _alone(part: Array, truth: Array, classes: int, seed: int) -> float:
    if not classes:
        tree = DecisionTreeRegressor(max_leaf_nodes=64, min_samples_leaf=3, random_state=seed)
        return float(r2_score(truth, cross_val_predict(tree, part, truth, cv=KFold(3, shuffle=True, random_state=seed))))
    model = DecisionTreeClassifier(max_leaf_nodes=32, min_samples_leaf=3, random_state=seed)
    folds = StratifiedKFold(3, shuffle=True, random_state=seed)
    probabilities = cross_val_predict(model, part, truth, cv=folds, method="predict_proba")
    if classes == 2:
        return float(roc_auc_score(truth, probabilities[:, 1]))
    labels = np.unique(truth)
    return float(np.mean([roc_auc_score(truth == label, probabilities[:, i]) for i, label in enumerate(labels)]))


def refuse_leaks(suspects: dict[str, float], allowed: Collection[str], classes: int) -> None:
    """Raise where a suspect was not allowed.

    Raises:
        CheckFailed: with what each column reaches alone.
    """
    left = {name: score for name, score in suspects.items() if name not in allowed}
    if left:
        names, figure = ", ".join(left), "AUC" if classes else "R²"
        raise CheckFailed(
            "a column tells the target nearly alone: was it written down after the target was known?",
            given="; ".join(f"{name}: {figure} {score:.3f} alone" for name, score in left.items()),
            allowed=f"columns with {figure} below {_AUC if classes else _R2} alone, or those named in `allow_leaks`",
            fix=f"ignore: [{names}] if it is not known when predictions are made, else allow_leaks: [{names}]",
        )
