"""A hosted run with all its inputs settled, and everything that can be refused before a byte is sent."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hatrack.core.config import AdapterConfig
from hatrack.core.config_provider import ProviderSettings, host_of
from hatrack.core.errors import TrainingError
from hatrack.data.prepare import Prepared
from hatrack.models.backends.hosted import HOSTED_TEMPLATE, hosted_fingerprint
from hatrack.training.identity import run_key

__all__ = ["HostedPlan", "check_task", "make_plan"]

_TASKS = ("instruct", "classify-by-text", "prefer")


@dataclass(frozen=True)
class HostedPlan:
    """One hosted run.

    Attributes:
        run: its folder; the same inputs are the same run.
        behaviour: what decides how the model behaves; part of the version's digest.
        method: ``supervised`` or ``dpo``.
        hyperparameters: those that were chosen.
        command: what starts this run, and goes on with it.
    """

    name: str
    provider: str
    config: AdapterConfig
    settings: ProviderSettings
    prepared: Prepared
    run: Path
    behaviour: dict[str, Any]
    method: str
    hyperparameters: dict[str, Any]
    command: str

    @property
    def host(self) -> str:
        """Where the rows go."""
        return host_of(self.settings.base_url)

    @property
    def fingerprint(self) -> str:
        """What stands for the base's fingerprint."""
        return hosted_fingerprint(self.provider, self.settings.base_url, self.settings.model)


def make_plan(
    name: str, provider: str, config: AdapterConfig, settings: ProviderSettings, prepared: Prepared, runs: Path, command: str
) -> HostedPlan:
    """Settle a hosted run; ``check_task`` has seen its config."""
    preferring = config.task == "prefer"
    chosen = {
        "n_epochs": settings.epochs,
        "batch_size": settings.batch_size,
        "learning_rate_multiplier": settings.learning_rate_multiplier,
        "beta": config.preference.beta if preferring else None,
    }
    hyperparameters = {key: value for key, value in chosen.items() if value is not None}
    method = "dpo" if preferring else "supervised"
    behaviour = {
        "task": config.task,
        "method": provider,
        "options": {
            "base_url": settings.base_url,
            "model": settings.model,
            "method": method,
            "hyperparameters": hyperparameters,
            "validation": settings.validation,
        },
        "system": config.system,
        "labels": list(prepared.labels),
        "answer_schema": config.answer_schema,
        "train": {"seed": config.train.seed, "last_turn_only": config.train.last_turn_only},
    }
    fingerprint = hosted_fingerprint(provider, settings.base_url, settings.model)
    run = runs / run_key(name, fingerprint, HOSTED_TEMPLATE, prepared.record.digest, behaviour)
    return HostedPlan(name, provider, config, settings, prepared, run, behaviour, method, hyperparameters, command)


def check_task(config: AdapterConfig) -> None:
    """What a provider can be asked to train.

    Raises:
        TrainingError: a task without conversations, a loss that providers do not have, or a parent.
    """
    if config.task not in _TASKS:
        raise TrainingError(
            f"task {config.task} cannot be trained at a provider: it learns from conversations",
            given=f"task: {config.task}",
            allowed=", ".join(_TASKS),
            fix="set task: classify-by-text, and a base that generates text" if config.task == "classify" else "train it here",
        )
    if config.task == "prefer" and config.preference.loss != "dpo":
        raise TrainingError(
            "a provider prefers by DPO", given=f"preference.loss: {config.preference.loss}", allowed="dpo", fix="set loss: dpo"
        )
    if config.parent is not None:
        raise TrainingError(
            "a provider trains its own model, not a version of this project",
            given=f"parent: {config.parent}",
            allowed="no parent",
            fix="to train on, set provider.model to the name of the provider's fine-tuned model",
        )
