"""What a project's hosted models were asked and what it cost, beside its budgets."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hatrack.core.config_file import read_config
from hatrack.core.project import Project
from hatrack.models.backends.ledger import NANOS, Ledger
from hatrack.models.backends.terms import stated_limits

__all__ = ["CostLine", "Costs", "UsedBudget", "costs"]


@dataclass(frozen=True)
class CostLine:
    """Of one adapter and one model. ``adapter`` is empty for an address given by hand; ``cost`` is None without a price."""

    adapter: str
    model: str
    requests: int
    unanswered: int
    prompt_tokens: int
    answer_tokens: int
    cost: float | None


@dataclass(frozen=True)
class UsedBudget:
    """One budget by its key in ``hatrack.yaml``, and how much of it is spent or set aside in its running period."""

    place: str
    period: str
    limit: float
    spent: float


@dataclass(frozen=True)
class Costs:
    """Since the beginning of the period, in the currency of the stated prices."""

    period: str
    lines: tuple[CostLine, ...]
    budgets: tuple[UsedBudget, ...]


def costs(root: Path, period: str) -> Costs:
    """What the book of the project in ``root`` says.

    Args:
        period: ``day``, ``month`` or ``total``.

    Raises:
        ConfigError: there is no usable ``hatrack.yaml``. StorageError: the book cannot be read.
    """
    config, ledger = read_config(root), Ledger(Project(root.absolute()).spending)
    lines = [
        CostLine(s.adapter, s.model, s.requests, s.unsure, s.prompt_tokens, s.answer_tokens, None if s.nanos is None else s.nanos / NANOS)
        for s in ledger.spent(period)
    ]
    budgets = [UsedBudget(one.place, one.period, one.nanos / NANOS, ledger.used(one) / NANOS) for one in stated_limits(config)]
    return Costs(period, tuple(lines), tuple(budgets))
