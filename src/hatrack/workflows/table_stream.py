"""A stored table model through a stream of new rows: what it answers, when the world changed, and the version that has learned.

    version ──► answers every row, as it is (what the stream is measured against)
       └──────► learner: answers, then learns ──► the newest rows are kept for the test ──► new version, with its evidence

The version itself never changes, so whoever is served by the champion notices nothing until the new one is promoted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hatrack.core.config_tables import TableConfig
from hatrack.core.errors import ConfigError
from hatrack.core.lineage import EvalReport, Manifest
from hatrack.registry.store import CHAMPION
from hatrack.tabular.decision import Decision
from hatrack.tabular.fitting.fit import Ground
from hatrack.tabular.fitting.models.base import TABLE_MODELS, Sample
from hatrack.tabular.fitting.streaming.base import LEARNERS, Learner
from hatrack.tabular.fitting.streaming.recovery import WorldChange, world_changes
from hatrack.tabular.fitting.streaming.refit import Refit
from hatrack.tabular.fitting.streaming.replay import log_losses, replay, retrained
from hatrack.tabular.fitting.target import target_values
from hatrack.tabular.model import TableModel
from hatrack.tabular.scorers.base import Scorer
from hatrack.tabular.table import Table
from hatrack.workflows.stream_figures import StreamFigures, stream_figures
from hatrack.workflows.stream_rows import StreamedRows, read_stream
from hatrack.workflows.stream_version import learned_model, register_learned
from hatrack.workflows.table_project import TableProject

__all__ = ["Streamed", "stream_table"]

Tick = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Streamed:
    """What happened on the stream.

    Attributes:
        start: the version that the learner began with.
        changes: of the world. Their rows, ``takeovers`` and ``given_up`` are places in ``rows.learned``, from 0.
        figures: of every system on the rows that were learned from, each answered before it was learned.
        manifest: the new version; None where none was registered, ``why_not`` says why.
        report: the new version against the start, a constant and a plain model, on the rows that were kept.
    """

    start: Manifest
    learner: str
    rows: StreamedRows
    changes: list[WorldChange]
    takeovers: list[int]
    given_up: list[int]
    figures: list[StreamFigures]
    manifest: Manifest | None
    report: EvalReport | None
    why_not: str
    notes: tuple[str, ...]


def stream_table(
    at: TableProject,
    reference: str,
    file: Path,
    *,
    learner: str = "auto",
    part: int = 100,
    judged: int = 300,
    test: float | None = None,
    compare_full: bool = False,
    register: bool = True,
    report: Callable[[str], None] = lambda line: None,
    tick: Tick = lambda step, done, total: None,
) -> Streamed:
    """Replay a file of rows with their truth through a version, and register what it has become.

    Args:
        reference: the version to begin with.
        learner: a name of ``LEARNERS``; auto: the one that goes on from this kind of model.
        part: rows between two times of learning.
        judged: rows over which a challenger is compared with the champion.
        test: share of the newest rows that nothing learns from; None: as ``split.test`` says.
        compare_full: retrain the version's own kind of model on everything so far after each part, too.
        tick: is told the step, rows done and rows in all.

    Raises:
        ConfigError, DataError, CheckFailed: the stream, or the version, cannot be used for this; nothing was registered.
    """
    if learner != "auto":
        LEARNERS.get(learner)
    start, model = at.stored(reference)
    decision = _two_classes(start, model)
    ground, _ = at.ground(model.card.readings)
    at.same_target(model, ground)
    rows = read_stream(at, start, model, file, ground, at.table.split.test if test is None else test)
    encoded = _Encoder(model, decision.classes, at.table, ground)
    before, stream = encoded.sample(ground.train), encoded.sample(rows.learned)
    name, champion, said = _begun(learner, model.scorer, before, at.table)
    for line in (*rows.notes, *said):
        report(line)
    found = replay(champion, LEARNERS.get(name), stream, part=part, judged=judged, tick=lambda done, total: tick("learning", done, total))
    changes = world_changes(found.drifts, log_losses(found.probabilities, stream.target), judged)
    systems = [
        (f"{start.name}@{start.version}, as it is", model.score(model.judge(stream.matrix)), 0.0),
        (f"learning ({name})", found.probabilities, found.seconds),
    ]
    if compare_full:
        report(f"retraining {model.card.model} on everything so far, after each {part} rows")
        refit = _refit(model)
        full = retrained(refit, before, stream, part=part, tick=lambda done, total: tick("retraining", done, total))
        systems.append((f"retrained in full ({refit().kind})", full.probabilities, full.seconds))
    figures = stream_figures(systems, stream.target, at.config.gate.confidence, at.table.seed)
    scorer = found.champion.scorer()
    manifest, evidence, why_not = None, None, ""
    if scorer is None:
        why_not = f"the learner {name} has no stored form: its state is Python objects, and versions hold no code"
    elif not register:
        why_not = "as asked (--no-register)"
    else:
        learned = learned_model(model, scorer, name, found, stream, at.table, start)
        manifest, evidence = register_learned(at, start, model, learned, rows, found.seconds, ground)
    notes = [*rows.notes, *said]
    if manifest is not None and CHAMPION not in at.registry.aliases(at.name):
        notes.append(f"{at.name} has no champion, so {at.name} alone now means {manifest.version}: promote the version that is to answer")
    return Streamed(start, name, rows, changes, found.takeovers, found.given_up, figures, manifest, evidence, why_not, tuple(notes))


@dataclass(frozen=True)
class _Encoder:
    """Rows to samples by the version's own record of columns."""

    model: TableModel
    classes: tuple[str, ...]
    config: TableConfig
    ground: Ground

    def sample(self, table: Table) -> Sample:
        truth = target_values(table, self.config.target, self.classes)
        weight = np.ones(len(truth))
        if self.config.class_weight == "balanced":
            counts = np.bincount(self.ground.truth(self.ground.train).astype(int), minlength=2)
            weight = (counts.sum() / (2 * np.maximum(counts, 1)))[truth.astype(int)]
        encoding = self.model.card.encoding
        signs = np.array([self.config.monotone.get(feature, 0) for feature in encoding.features], np.int64)
        return Sample(encoding.encode(table), truth, weight, 2, signs, self.config.seed)


def _two_classes(start: Manifest, model: TableModel) -> Decision:
    decision = model.card.decision
    if decision is None or len(decision.classes) != 2:
        raise ConfigError(
            "only tables of two classes learn from a stream",
            given=f"{start.name}@{start.version}: {', '.join(decision.classes) if decision else 'a number'}",
            allowed="a target of two classes",
            fix=f"train {start.name} again when there are new rows",
        )
    return decision


def _begun(wanted: str, scorer: Scorer, before: Sample, config: TableConfig) -> tuple[str, Learner, list[str]]:
    """The learner that is asked for, as far as the version has come."""
    name = wanted
    if wanted == "auto":
        name = "partial-fit" if scorer.kind == "linear" and not config.monotone else "continued"
    learner: Learner = LEARNERS.get(name)()
    if config.monotone and not learner.keeps_monotone:
        able = [one for one in LEARNERS.names() if LEARNERS.get(one).keeps_monotone]
        raise ConfigError(
            f"the learner {name} cannot be held monotone", given=f"monotone: {dict(config.monotone)}", allowed=", ".join(able)
        )
    if learner.resume(scorer):
        return name, learner, []
    learner.learn(before)
    said = f"{name} cannot go on from a model of kind {scorer.kind}: it begins with the {len(before.target):,} training rows"
    return name, learner, [said]


def _refit(model: TableModel) -> Callable[[], Refit]:
    settings = dict(model.card.settings)
    if model.card.model in TABLE_MODELS.names():
        return lambda: Refit(model.card.model, settings)
    return lambda: Refit("xgboost", {})  # a version that came from a stream has no settings of its own
