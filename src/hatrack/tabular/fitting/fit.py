"""From a table to a model, on one page: target, columns, leaks, split, search, calibration, threshold, the final fit."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np
import numpy.typing as npt

from hatrack.core.config_tables import TableConfig
from hatrack.core.errors import ConfigError
from hatrack.tabular.calibration import Calibration
from hatrack.tabular.decision import Decision
from hatrack.tabular.encoding import Encoding
from hatrack.tabular.features.base import computed
from hatrack.tabular.fitting.calibrate import fit_calibration
from hatrack.tabular.fitting.encode import fit_encoding
from hatrack.tabular.fitting.folds import divide, folds_of
from hatrack.tabular.fitting.inspect import ColumnKind, inspect_columns, known_column
from hatrack.tabular.fitting.leaks import leak_suspects, refuse_leaks
from hatrack.tabular.fitting.models.base import TABLE_MODELS, Sample
from hatrack.tabular.fitting.search import SEARCH_METRICS, Trial, default_metric, out_of_fold, search, with_rounds
from hatrack.tabular.fitting.target import Target, read_target, target_values
from hatrack.tabular.fitting.threshold import best_threshold
from hatrack.tabular.model import Card, TableModel
from hatrack.tabular.readings import Reading, TextVectors
from hatrack.tabular.scorers.base import Array
from hatrack.tabular.table import Table

__all__ = ["Fitted", "Ground", "fit_table", "prepare_table"]

Report = Callable[[str], None]


@dataclass(frozen=True)
class Ground:
    """Rows ready to be learned from.

    Attributes:
        kinds: the columns that are read, by kind; ``aside`` the others, with the reason.
        inputs: the columns that a row must bring along.
        readings: what is read out of texts; the rows hold these columns already.
    """

    config: TableConfig
    train: Table
    test: Table
    target: Target
    kinds: dict[str, ColumnKind]
    aside: dict[str, str]
    inputs: tuple[str, ...]
    notes: tuple[str, ...]
    readings: tuple[Reading, ...] = ()

    @property
    def vectors(self) -> dict[str, TextVectors]:
        """Columns of vectors, by name."""
        return {reading.name: reading for reading in self.readings if isinstance(reading, TextVectors)}

    def truth(self, table: Table) -> npt.NDArray[np.float64]:
        """[rows] the target."""
        return target_values(table, self.config.target, self.target.classes)


@dataclass(frozen=True)
class Fitted:
    """A model and how it came to be.

    Attributes:
        trials: all settings that were tried, the best first.
        seconds: of search, calibration and fit.
    """

    model: TableModel
    trials: tuple[Trial, ...]
    seconds: float


def prepare_table(table: Table, config: TableConfig, test: Table | None = None, readings: Sequence[Reading] = ()) -> Ground:
    """Check and divide the rows; computed columns are made first, and look only back in time.

    Args:
        readings: what was read out of texts; ``table`` and ``test`` hold these columns.

    Raises:
        ConfigError, DataError, CheckFailed: see the steps.
    """
    for recipe in config.features:
        if config.target in (*recipe.of, recipe.by):
            raise ConfigError(
                f"the feature {recipe.name!r} is made of the target", given=config.target, fix="nobody knows it when predictions are made"
            )
    read_out = {name for reading in readings for name in reading.columns}
    inputs = tuple(name for name in table.columns if name not in read_out)
    table = computed(config.features, table, Table({}, []))
    table, target, notes = read_target(table, config)
    table, found = inspect_columns(table, config, [reading.name for reading in readings if isinstance(reading, TextVectors)])
    _monotone_fits(config, found.kinds, len(target.classes))
    truth = target_values(table, config.target, target.classes)
    if test is None:
        train_rows, test_rows = divide(table, truth, config, classes=len(target.classes))
        train, test = table.take(train_rows), table.take(test_rows)
    else:
        known_column(config.target, test, "target")
        train, test = table, computed(config.features, test, table)
    made = {recipe.name: recipe for recipe in config.features}
    read = [name for name in inputs if name in found.kinds]
    read += [name for recipe in made.values() for name in (*recipe.of, recipe.by, recipe.time) if name and name not in made]
    read = [*(name for name in read if name not in read_out), *(reading.column for reading in readings)]
    notes = [*notes, *found.notes]
    return Ground(config, train, test, target, found.kinds, found.aside, tuple(dict.fromkeys(read)), tuple(notes), tuple(readings))


def fit_table(ground: Ground, report: Report = lambda line: None, model: str | None = None) -> Fitted:
    """Search, calibrate and fit.

    Args:
        model: another kind of model than the config names.

    Raises:
        CheckFailed: a column leaks the target. ConfigError: unknown models, options or metrics.
    """
    config, begin = ground.config, time.perf_counter()
    classes = len(ground.target.classes)
    truth = ground.truth(ground.train)
    encoding = fit_encoding(ground.train, ground.kinds, truth, classes=classes, vectors=ground.vectors)
    whole = _sample(ground.train, truth, encoding, config, classes)
    refuse_leaks(leak_suspects(whole.matrix, truth, encoding, classes=classes, seed=config.seed), config.allow_leaks, classes)
    folds = _folds(ground, whole, truth, classes)
    trials = search(_models(model or config.model, config, report), folds, _metric(config, classes), config, report)
    best = trials[0]
    calibration, decision = _judged(best, folds, ground.target, config)
    scorer, _ = TABLE_MODELS.get(best.model)().fit(whole, with_rounds(best))
    card = Card(
        target=config.target,
        task=ground.target.task,
        model=best.model,
        scorer=scorer.kind,
        encoding=encoding,
        readings=ground.readings,
        recipes=config.features,
        inputs=ground.inputs,
        calibration=calibration,
        decision=decision,
        fixed=tuple(dict.fromkeys((*config.fixed, *config.protected))),
        protected=config.protected,
        settings=with_rounds(best),
    )
    return Fitted(TableModel(card, scorer), tuple(trials), time.perf_counter() - begin)


def _models(wanted: str, config: TableConfig, report: Report) -> list[str]:
    if wanted != "auto":
        TABLE_MODELS.get(wanted)
        names = [wanted]
    else:
        names = ["linear", "histogram", "forest"]
        if find_spec("xgboost"):
            names += ["xgboost", "blend"]
        else:
            report('not tried: xgboost and blend, which need pip install "hatrack[tables]"')
    if config.monotone:
        bound = [name for name in names if TABLE_MODELS.get(name)().keeps_monotone]
        if not bound:
            able = [name for name in TABLE_MODELS.names() if TABLE_MODELS.get(name)().keeps_monotone]
            raise ConfigError(f"the model {wanted} cannot be held monotone", given=f"monotone: {config.monotone}", allowed=", ".join(able))
        names = bound
    return names


def _metric(config: TableConfig, classes: int) -> str:
    allowed = {2: ("roc_auc", "log_loss"), 0: ("rmse", "mae")}.get(classes, ("log_loss",))
    wanted = config.metric or default_metric(classes)
    if wanted in allowed:
        return wanted
    if wanted in SEARCH_METRICS:
        raise ConfigError("this metric does not fit the target", given=f"metric: {wanted}", allowed=", ".join(allowed))
    raise ConfigError(f"there is no metric {wanted!r} for tables", given=f"metric: {wanted}", allowed=", ".join(allowed))


def _monotone_fits(config: TableConfig, kinds: dict[str, ColumnKind], classes: int) -> None:
    wrong = [name for name in config.monotone if kinds.get(name) != "number"]
    if wrong:
        raise ConfigError(
            "only columns of numbers that the model reads can be held monotone",
            given=", ".join(f"{name}: {kinds.get(name, 'not read')}" for name in wrong),
            allowed=", ".join(name for name, kind in kinds.items() if kind == "number"),
        )
    if config.monotone and classes > 2:
        raise ConfigError(
            "more than two classes have no direction to rise in", given=f"{classes} classes", allowed="two classes, or values"
        )


def _sample(table: Table, truth: npt.NDArray[np.float64], encoding: Encoding, config: TableConfig, classes: int) -> Sample:
    weight = np.ones(len(truth))
    if classes and config.class_weight == "balanced":
        counts = np.bincount(truth.astype(int), minlength=classes)
        weight = (len(truth) / (classes * np.maximum(counts, 1)))[truth.astype(int)]
    signs = np.array([config.monotone.get(feature, 0) for feature in encoding.features], np.int64)
    return Sample(encoding.encode(table), truth, weight, classes, signs, config.seed)


def _folds(ground: Ground, whole: Sample, truth: npt.NDArray[np.float64], classes: int) -> list[tuple[Sample, Sample]]:
    found = []
    by_target = "text" in ground.kinds.values()  # then the encoding looked at the target, and must not at that of held-out rows
    for train, held in folds_of(ground.train, truth, ground.config, classes=classes):
        if by_target:
            part = ground.train.take(train)
            encoding = fit_encoding(part, ground.kinds, truth[train], classes=classes, vectors=ground.vectors)
            both = _sample(ground.train, truth, encoding, ground.config, classes)
        else:
            both = whole
        found.append((both.take(train), both.take(held)))
    return found


def _judged(best: Trial, folds: Any, target: Target, config: TableConfig) -> tuple[Calibration, Decision | None]:
    if not target.classes:
        return Calibration(), None
    parts = out_of_fold(best, folds)
    margins: Array = np.concatenate([part for part, _ in parts])
    truth = np.concatenate([held.target for _, held in folds])
    calibration = fit_calibration(config.calibration, margins, parts[0][1], truth)
    decision = Decision(classes=target.classes, costs=target.costs)
    if len(target.classes) == 2:
        positive = calibration.probabilities(margins, parts[0][1])[:, 1]
        decision = decision.model_copy(update={"threshold": best_threshold(positive, truth.astype(np.int64), target.costs, config.seed)})
    return calibration, decision
