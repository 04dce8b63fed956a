"""What has learned from a stream, as a version with its evidence."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hatrack.core.config_tables import TableConfig
from hatrack.core.digest import sha256_json
from hatrack.core.lineage import DataRecord, EvalReport, Manifest
from hatrack.tabular.calibration import Calibration
from hatrack.tabular.decision import Decision
from hatrack.tabular.fitting.calibrate import fit_calibration
from hatrack.tabular.fitting.fit import Ground
from hatrack.tabular.fitting.models.base import Sample
from hatrack.tabular.fitting.streaming.replay import Replay
from hatrack.tabular.fitting.target import Target
from hatrack.tabular.fitting.threshold import best_threshold, indifferent
from hatrack.tabular.model import TableModel
from hatrack.tabular.scorers.base import Array, Scorer
from hatrack.workflows.stream_rows import StreamedRows
from hatrack.workflows.table_project import TableProject, rows_digest
from hatrack.workflows.table_report import OURS, System, report_of
from hatrack.workflows.table_train import bases, register_table

__all__ = ["learned_model", "register_learned"]

_FEWEST = 200  # rows of the present world that calibration and threshold are chosen on; fewer say too little
_FEWEST_OF_A_CLASS = 20


def learned_model(
    model: TableModel, scorer: Scorer, learner: str, found: Replay, stream: Sample, config: TableConfig, start: Manifest
) -> TableModel:
    """The learner as a model: calibrated on what it answered before it saw the truth, in the world as it is now."""
    since = max([0, *(row + 1 for row in found.takeovers), *(drift.since for drift in found.drifts)])
    answers, truth = found.probabilities[since:], stream.target[since:]
    classes, costs = (model.card.decision.classes, model.card.decision.costs) if model.card.decision else ((), None)
    calibration, threshold = Calibration(), indifferent(costs)
    if len(truth) >= _FEWEST and np.bincount(truth.astype(int), minlength=2).min() >= _FEWEST_OF_A_CLASS:
        calibration = fit_calibration(config.calibration, _logit(answers)[:, None], "logit", truth)
        positive = calibration.probabilities(_logit(answers)[:, None], "logit")[:, 1]
        threshold = best_threshold(positive, truth.astype(np.int64), costs, config.seed)
    card = model.card.model_copy(
        update={
            "model": learner,
            "scorer": scorer.kind,
            "calibration": calibration,
            "decision": Decision(classes=classes, costs=costs, threshold=threshold),
            "settings": {"learned_on": f"{start.name}@{start.version}", "rows": len(stream.target), "calibrated_on": len(truth)},
        }
    )
    return TableModel(card, scorer)


def _logit(probabilities: Array) -> Array:
    clipped = np.clip(probabilities, 1e-6, 1 - 1e-6)
    found: Array = np.log(clipped / (1 - clipped))
    return found


def register_learned(
    at: TableProject, start: Manifest, model: TableModel, learned: TableModel, rows: StreamedRows, seconds: float, ground: Ground
) -> tuple[Manifest, EvalReport]:
    """Store what has learned, and measure it on the rows that were kept: against the start, a constant and a plain model.

    The baselines learn from the stream, so they know the present world.

    Raises:
        StorageError: the disk refuses; no version appears.
    """
    parts = [rows_digest(part.without(model.made)) for part in (rows.learned, rows.test)]
    record = DataRecord(
        digest=sha256_json([start.data.digest, *parts]),
        train_digest=sha256_json([start.data.train_digest, parts[0]]),
        validation_digest="",
        test_digest=parts[1],
        rows={"train": start.data.rows["train"] + len(rows.learned), "validation": 0, "test": len(rows.test)},
        rejected=0,
        source_files={**start.data.source_files, rows.file: rows.sha256},
    )
    manifest = register_table(at, learned, record, seconds, parents=(start.digest,))
    decision = model.card.decision
    target = Target("classification", decision.classes, decision.costs) if decision else ground.target
    kinds = {column.name: column.kind for column in model.card.encoding.columns}
    last = Ground(at.table, rows.learned, rows.test, target, kinds, {}, model.card.inputs, (), model.card.readings)
    systems: Sequence[System] = [
        System(OURS, learned.card.model, learned, at.texts.read_now),
        *bases(last),
        System(f"{start.name}@{start.version}", "the version that the learner began with", model, at.texts.read_now),
    ]
    evidence = report_of(at.name, manifest.digest, record.test_digest, systems, last, at.config.gate)
    at.registry.add_report(manifest, evidence)
    return manifest, evidence
