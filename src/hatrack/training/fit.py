"""From a plan to a trained model: put together, accelerated, measured, trained, and its weights written."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from torch import nn
from transformers import TrainerCallback, set_seed

from hatrack.core.config import AdapterConfig
from hatrack.data.prepare import Prepared
from hatrack.models.adapters.probe import PROBE_TOKENS
from hatrack.models.encoder import CosineHead
from hatrack.models.loading import BaseModelFiles, load_module
from hatrack.models.sources.local import Local
from hatrack.training.estimate import estimate
from hatrack.training.fast.choose import accelerate
from hatrack.training.fast.dropout import turn_off_dropout
from hatrack.training.figures import figures_of
from hatrack.training.loop import run_loop
from hatrack.training.memory import forget_peak, settled_heap
from hatrack.training.methods.base import Coverage, Method, Schedule
from hatrack.training.objectives.base import Item, Objective, Trainee
from hatrack.training.objectives.classify import EncoderTrainee
from hatrack.training.parent import Parent, start_from
from hatrack.training.processes import processes
from hatrack.training.progress import EventLog, LiveBar
from hatrack.training.proof import outputs
from hatrack.training.share import Share
from hatrack.training.stopping import StopAfterStep
from hatrack.training.trackers import tracking
from hatrack.training.weights import read_trained, whole_trained

__all__ = ["Outcome", "Plan", "base_name", "fit"]


@dataclass(frozen=True)
class Plan:
    """A run with all its inputs settled."""

    name: str
    config: AdapterConfig
    files: BaseModelFiles
    prepared: Prepared
    run: Path
    method: Method
    objective: Objective
    options: Any
    learning_rate: float
    template_hash: str
    parent: Parent | None


@dataclass(frozen=True)
class Outcome:
    """What remains of a training when the model is gone: probe inputs, the base's and the adapter's outputs, the head."""

    inputs: list[tuple[int, ...]]
    before: torch.Tensor
    after: torch.Tensor
    head: CosineHead | None
    figures: dict[str, float]


@dataclass(frozen=True)
class _Assembly:
    """The base with a new adapter on it, and what the base alone answered before."""

    base: nn.Module
    adapted: nn.Module
    trainee: Trainee
    coverage: Coverage
    inputs: list[tuple[int, ...]]
    before: torch.Tensor


def fit(plan: Plan, folder: Path | None, console: Console) -> Outcome:
    """Train, and write the adapter's weights and config into ``folder``; None where another process does that.

    Raises:
        TrainingError: it does not fit into memory, an acceleration that was asked for cannot be had, the loss is not finite.
    """
    settings, objective, team = plan.config.train, plan.objective, processes()
    train, validation = objective.items(plan.prepared, plan.config, plan.files)
    parts = _assemble(plan, train)
    trainee, adapted = parts.trainee, parts.adapted
    console.print(f"{plan.name}: training {parts.coverage}")
    if team.size > 1:
        console.print(f"{plan.name}: {team.size} processes, {Share.of(settings, team)}")
    train, validation = trainee.begin(train), trainee.begin(validation)
    pad = int(plan.files.tokenizer.pad_token_id or 0)

    def collate(rows: Sequence[Item]) -> dict[str, torch.Tensor]:
        return objective.collate(rows, pad)

    def optimizer(steps: int) -> torch.optim.Optimizer | None:
        return plan.method.optimizer(adapted, trainee, plan.options, Schedule(plan.learning_rate, settings.weight_decay, steps))

    bar = LiveBar(plan.name, console)
    start = time.monotonic()
    home = plan.run.parent.with_name("cache") / "hidden"
    stop = StopAfterStep(team)
    try:
        with stop.listening(), tracking(settings.report_to, plan.run), settled_heap():
            rows = [*train, *validation]
            with team.first():  # what the main process computes and keeps is found by the others
                found = accelerate(
                    trainee,
                    parts.base,
                    adapted,
                    rows,
                    collate,
                    settings.fast,
                    home,
                    plan.files.fingerprint,
                    bar.before,
                    wrapped=team.wrapped,
                )
            console.print(f"{plan.name}: fast: {found}")
            expected = estimate(trainee, train, validation, collate, settings)
            console.print(f"{plan.name}: {expected}")
            spent = time.monotonic() - start
            forget_peak()
            watchers: list[TrainerCallback] = [bar, EventLog(plan.run), stop] if team.main else [stop]
            loop = run_loop(trainee, settings, plan.learning_rate, train, validation, collate, plan.run, watchers, optimizer)
    finally:
        bar.close()
    figures = {
        **figures_of(loop.state, train, time.monotonic() - start),
        "expected_seconds": round(spent + expected.seconds, 2),
        "expected_rss_mb": round(expected.peak / 2**20, 1),
        "trained_parameters": float(parts.coverage.trained),
        "processes": float(team.size),
    }
    if team.sharded:  # no process has all weights of the trained model, so they are put into a model of its own
        weights = whole_trained(trainee)
        if folder is not None:
            trainee, adapted = _rebuilt(plan, train, weights)
    trainee.eval()
    head = trainee.head if isinstance(trainee, EncoderTrainee) else None
    if folder is None:
        return Outcome(parts.inputs, parts.before, parts.before, head, figures)
    plan.method.export(adapted, folder, base_name(plan.files.spec))
    return Outcome(parts.inputs, parts.before, outputs(adapted, parts.inputs, plan.files.kind), head, figures)


def _assemble(plan: Plan, train: Sequence[Item]) -> _Assembly:
    settings = plan.config.train
    base: Any = load_module(plan.files)
    if settings.base_dropout == "off":
        turn_off_dropout(base)
    inputs = [item.ids[:PROBE_TOKENS] for item in train[:2]]
    before = outputs(base, inputs, plan.files.kind)
    set_seed(settings.seed)  # before the first random number of the adapter (F11)
    adapted, coverage = plan.method.apply(base, plan.options, plan.files.kind)
    if plan.parent is not None:
        start_from(adapted, plan.parent)
    trainee = plan.objective.trainee(base, adapted, plan.prepared, plan.config, train)
    trainee._no_split_modules = base._no_split_modules  # where FSDP looks for the classes of blocks
    return _Assembly(base, adapted, trainee, coverage, inputs, before)


def _rebuilt(plan: Plan, train: Sequence[Item], weights: dict[str, torch.Tensor]) -> tuple[Trainee, nn.Module]:
    parts = _assemble(plan, train)
    read_trained(parts.trainee, weights)
    return parts.trainee, parts.adapted


def base_name(spec: str) -> str:
    """A base in a folder goes by the folder's name: its path would make the digest another one on every machine (F11)."""
    return Path(spec).name if Local().claims(spec) else spec
