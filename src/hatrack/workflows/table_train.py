"""A table to a registered version with its evidence: fit, store, measure."""

from __future__ import annotations

import platform
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from hatrack.core.lineage import EvalReport, Manifest
from hatrack.registry.tables import table_manifest
from hatrack.tabular.fairness import GroupRates
from hatrack.tabular.fitting.baselines import baselines
from hatrack.tabular.fitting.fit import Fitted, Ground, fit_table
from hatrack.tabular.fitting.models.base import TABLE_MODELS
from hatrack.tabular.model import TableModel
from hatrack.tabular.readings import TextScore
from hatrack.workflows.table_project import TableProject
from hatrack.workflows.table_report import OURS, System, group_rates, report_of, scored

__all__ = ["Compared", "Trained", "bases", "compare_models", "register_table", "train_table"]

Report = Callable[[str], None]
_LIBRARIES = ("hatrack", "numpy", "scikit-learn", "xgboost-cpu")


@dataclass(frozen=True)
class Trained:
    """A new version and what is known of it."""

    manifest: Manifest
    report: EvalReport
    fitted: Fitted
    ground: Ground
    rates: list[GroupRates]


@dataclass(frozen=True)
class Compared:
    """All kinds of models on the same rows; ``seconds`` of training by name. Nothing is registered."""

    report: EvalReport
    seconds: dict[str, float]


def train_table(at: TableProject, report: Report = lambda line: None) -> Trained:
    """Fit, register and evaluate; the same digest is registered once.

    Raises:
        HatrackError: see ``prepare_table`` and ``fit_table``; then no version appears.
    """
    ground, record = at.ground()
    _tell(ground, report)
    fitted = fit_table(ground, report)
    manifest = register_table(at, fitted.model, record, fitted.seconds, tried=len(fitted.trials))
    systems = [System(OURS, _described(fitted.model), fitted.model, at.texts.read_now), *bases(ground)]
    evidence = report_of(at.name, manifest.digest, record.test_digest, systems, ground, at.config.gate)
    at.registry.add_report(manifest, evidence)
    return Trained(manifest, evidence, fitted, ground, group_rates(fitted.model, ground, scored(fitted.model, ground)))


def register_table(
    at: TableProject, model: TableModel, record: Any, seconds: float, *, tried: int = 1, parents: tuple[str, ...] = ()
) -> Manifest:
    """Store a model as a version of the table.

    Raises:
        StorageError: the disk refuses; no version appears.
    """
    card = model.card
    behaviour = {
        "task": card.task,
        "method": card.model,
        "target": card.target,
        "classes": list(card.decision.classes) if card.decision else [],
        "labels": list(card.decision.classes) if card.decision else [],
        "inputs": list(card.inputs),
        "settings": card.settings,
        "table": at.table.model_dump(mode="json", exclude={"data"}),
        "seed": at.table.seed,
        **({"readings": [reading.model_dump(mode="json") for reading in card.readings]} if card.readings else {}),
    }
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        model.save(folder)
        manifest = table_manifest(
            at.registry,
            at.name,
            folder,
            behaviour=behaviour,
            data=record,
            training={"seconds": seconds, "settings_tried": float(tried)},
            libraries=_libraries(),
            parents=(*parents, *dict.fromkeys(one.digest for one in card.readings if isinstance(one, TextScore))),
        )
        return at.registry.add(manifest, folder)


def compare_models(at: TableProject, models: list[str], report: Report = lambda line: None) -> Compared:
    """Train several kinds of models and measure all of them on the test rows; the first one is compared with each other.

    Raises:
        ConfigError: an unknown kind of model.
    """
    chosen = models or [name for name in TABLE_MODELS.names() if not at.table.monotone or TABLE_MODELS.get(name)().keeps_monotone]
    for name in chosen:
        TABLE_MODELS.get(name)
    ground, record = at.ground()
    _tell(ground, report)
    own_options = at.table.model_copy(update={"options": {}})
    systems, seconds = [], {}
    for name in chosen:
        report(f"[{name}]")
        config = at.table if at.table.model == name else own_options
        fitted = fit_table(Ground(**{**vars(ground), "config": config}), report, name)
        systems.append(System(name, _described(fitted.model), fitted.model, at.texts.read_now))
        seconds[name] = fitted.seconds
    for baseline in baselines(ground):
        systems.append(System(baseline.name, baseline.description, baseline.model))
        seconds[baseline.name] = baseline.seconds
    first = [replace(systems[0], name=OURS), *systems[1:]]
    evidence = report_of(at.name, "", record.test_digest, first, ground, at.config.gate)
    named = (one.model_copy(update={"name": chosen[0]}) if one.name == OURS else one for one in evidence.systems)
    return Compared(evidence.model_copy(update={"systems": tuple(named)}), seconds)


def bases(ground: Ground) -> list[System]:
    """What a model must beat, fitted on the same training rows."""
    return [System(baseline.name, baseline.description, baseline.model) for baseline in baselines(ground)]


def _described(model: TableModel) -> str:
    return model.card.model


def _tell(ground: Ground, report: Report) -> None:
    kinds: dict[str, list[str]] = {}
    for name, kind in ground.kinds.items():
        kinds.setdefault(kind, []).append(name)
    for shown, names in kinds.items():
        report(f"{shown}: {', '.join(names[:12])}{f' and {len(names) - 12} more' if len(names) > 12 else ''}")
    for name, reason in ground.aside.items():
        report(f"not read: {name}: {reason}")
    for note in ground.notes:
        report(note)
    rows = f"{len(ground.train):,} training rows, {len(ground.test):,} test rows"
    report(f"target {ground.config.target}: {', '.join(ground.target.classes) or 'a number'}; {rows}")


def _libraries() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for name in _LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
