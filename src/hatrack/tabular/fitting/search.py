"""Settings tried in cross-validation: the defaults of each model first, then more of the best one; hopeless ones end early."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import expit, softmax
from sklearn.metrics import log_loss, roc_auc_score

from hatrack.core.config_tables import TableConfig
from hatrack.core.errors import ConfigError
from hatrack.tabular.fitting.models.base import TABLE_MODELS, Sample
from hatrack.tabular.scorers.base import Array, Link, Scorer

__all__ = ["SEARCH_METRICS", "Trial", "default_metric", "fold_score", "out_of_fold", "search", "with_rounds"]

Fold = tuple[Sample, Sample]
_HOPELESS = 2  # folds after which a setting that was worse than the best one in each of them is given up
SEARCH_METRICS = ("roc_auc", "log_loss", "rmse", "mae")


@dataclass(frozen=True)
class Trial:
    """One setting of one model, and what it reached on each fold (higher is better; losses are negative).

    ``rounds``: the median of what was best on the folds; 0 for models without.
    """

    model: str
    options: dict[str, Any]
    scores: tuple[float, ...]
    rounds: int
    seconds: float
    whole: bool

    @property
    def score(self) -> float:
        """The mean over folds."""
        return float(np.mean(self.scores))


def default_metric(classes: int) -> str:
    """The figure that is looked at where the config names none."""
    return "roc_auc" if classes == 2 else "log_loss" if classes else "rmse"


def fold_score(metric: str, scorer: Scorer, sample: Sample) -> float:
    """How good the uncalibrated scorer is on held-out rows; higher is better."""
    return _score(metric, scorer.margins(sample.matrix), scorer.link, sample)


def _score(metric: str, margins: Array, link: str, sample: Sample) -> float:
    if metric == "rmse":
        return -float(np.sqrt(np.mean((margins[:, 0] - sample.target) ** 2)))
    if metric == "mae":
        return -float(np.mean(np.abs(margins[:, 0] - sample.target)))
    if metric == "roc_auc":
        return float(roc_auc_score(sample.target, margins[:, 0]))
    if sample.classes == 2:
        positive = np.clip(margins[:, 0], 0, 1) if link == "probability" else expit(margins[:, 0])
        return -float(log_loss(sample.target, positive, labels=[0, 1]))
    probabilities = margins if link == "probability" else softmax(margins, axis=1)
    return -float(log_loss(sample.target, probabilities / probabilities.sum(axis=1, keepdims=True), labels=range(sample.classes)))


def search(names: Sequence[str], folds: Sequence[Fold], metric: str, config: TableConfig, report: Callable[[str], None]) -> list[Trial]:
    """All trials, best first.

    Raises:
        ConfigError: an option that the model does not know.
    """
    trials: list[Trial] = []
    start = time.monotonic()
    for name, options in _candidates(names, folds[0][0], config, trials):
        best = max((trial for trial in trials if trial.whole), key=lambda trial: trial.score, default=None)
        trial = _try(name, options, folds, metric, best)
        trials.append(trial)
        more = "" if trial.whole else f", given up after {len(trial.scores)} folds"
        report(f"{name} {_shown(options)}: {metric} {abs(trial.score):.4f}{more}, {trial.seconds:.1f} s")
        if config.search.seconds and time.monotonic() - start > config.search.seconds:
            break
    return sorted(trials, key=lambda trial: (trial.whole, trial.score), reverse=True)


def _candidates(names: Sequence[str], sample: Sample, config: TableConfig, trials: list[Trial]) -> Iterator[tuple[str, dict[str, Any]]]:
    grids = {name: [{**options, **config.options} for options in TABLE_MODELS.get(name)().grid(sample)] for name in names}
    if config.options and len(names) > 1:
        raise ConfigError("`options` belong to one model", given=f"model: {config.model}", allowed=", ".join(TABLE_MODELS.names()))
    first = [(name, grid.pop(0)) for name, grid in grids.items()]
    yield from first
    done = [options for _, options in first]
    for _ in range(config.search.trials - 1):
        best = max((trial for trial in trials if trial.whole), key=lambda trial: trial.score)
        more = next((options for options in grids[best.model] if options not in done), None)
        if more is None:
            return
        done.append(more)
        yield best.model, more


def _try(name: str, options: dict[str, Any], folds: Sequence[Fold], metric: str, best: Trial | None) -> Trial:
    begin, scores, rounds = time.perf_counter(), [], []
    model = TABLE_MODELS.get(name)()
    stops = bool(model.rounds_key) and model.rounds_key not in options
    for train, held in folds:
        scorer, count = model.fit(train, options, held if stops else None)
        scores.append(fold_score(metric, scorer, held))
        rounds.append(count)
        if best and len(scores) == _HOPELESS and all(mine < theirs for mine, theirs in zip(scores, best.scores, strict=False)):
            break
    return Trial(name, options, tuple(scores), int(np.median(rounds)), time.perf_counter() - begin, len(scores) == len(folds))


def out_of_fold(trial: Trial, folds: Sequence[Fold]) -> list[tuple[Array, Link]]:
    """Margins of each fold's held-out rows, by models that saw nothing of them: rounds are the same in all folds."""
    model = TABLE_MODELS.get(trial.model)()
    found = []
    for train, held in folds:
        scorer, _ = model.fit(train, with_rounds(trial))
        found.append((scorer.margins(held.matrix), scorer.link))
    return found


def with_rounds(trial: Trial) -> dict[str, Any]:
    """The options of a trial, with the number of rounds that was best."""
    key = TABLE_MODELS.get(trial.model)().rounds_key
    return {**trial.options, **({key: trial.rounds} if key and trial.rounds else {})}


def _shown(options: dict[str, Any]) -> str:
    parts = []
    for key, value in options.items():
        parts.append(f"{key} ({_shown(value)})" if isinstance(value, dict) else f"{key} {value}")
    return ", ".join(parts)
