"""On what terms a hosted model is asked for an adapter: price, budgets, patience, and the book it is entered in."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from hatrack.core.config import ProjectConfig
from hatrack.core.config_hosted import HostedModel
from hatrack.core.config_price import Price
from hatrack.core.config_provider import host_of
from hatrack.core.lineage import HostedWeights
from hatrack.models.backends.base import BACKENDS
from hatrack.models.backends.ledger import NANOS, Ledger, Limit

__all__ = ["Terms", "stated_limits", "terms_for", "weights_of"]

_TIMEOUT, _RETRIES, _CONTEXT = 120.0, 5, 32768  # where hatrack.yaml has no entry for the model


@dataclass(frozen=True)
class Terms:
    """For one adapter and one model.

    Attributes:
        adapter: who is asked for, as the book names it; empty for a judge or an address given by hand.
        limits: budgets that count for it.
        context: tokens of prompt and answer together.
        ledger: None outside of a project: nothing is entered, and nothing is limited.
    """

    adapter: str
    model: str
    price: Price | None
    limits: tuple[Limit, ...]
    timeout: float
    retries: int
    context: int
    ledger: Ledger | None


def weights_of(entry: HostedModel, data_digest: str = "") -> HostedWeights:
    """Where the model of an entry of ``hosted:`` is.

    Raises:
        ConfigError: there is no such backend.
    """
    backend = BACKENDS.get(entry.backend)
    return HostedWeights(
        provider=entry.backend,
        base_url=entry.base_url or backend.address,
        api_key_env=entry.api_key_env or backend.key_env,
        base_model=entry.model,
        model=entry.model,
        job="",
        hyperparameters={},
        trained_tokens=None,
        data_digest=data_digest,
        sampling=entry.sampling,
    )


def terms_for(config: ProjectConfig, book: Path | None, weights: HostedWeights, adapter: str = "") -> Terms:
    """What ``hatrack.yaml`` says now of a model, wherever its version comes from; a price is no part of a version.

    The model's entry in ``hosted`` counts, found by its backend, address and name; else ``provider``, for what was
    fine-tuned there; else nothing is known of prices and nothing is limited.
    """
    model = f"{host_of(weights.base_url)}#{weights.model}"
    name, entry = _entry(config, weights)
    limits = _limits("model", model, entry.budget.limits, f"hosted.{name}.budget") if entry else ()
    if entry is None:
        provider = config.provider
        of_provider = provider is not None and (provider.base_url, provider.model) == (weights.base_url, weights.base_model)
        price = provider.price if provider is not None and of_provider else None
        if provider is not None and of_provider:
            limits = _limits("model", model, provider.budget.limits, "provider.budget")
        patience = _TIMEOUT, _RETRIES, _CONTEXT
    else:
        price, patience = entry.price, (entry.timeout, entry.retries, entry.context)
    own = config.adapters.get(adapter)
    if own is not None:
        limits += _limits("adapter", adapter, own.budget.limits, f"adapters.{adapter}.budget")
    return Terms(adapter, model, price, limits, *patience, None if book is None else Ledger(book))


def stated_limits(config: ProjectConfig) -> list[Limit]:
    """Every budget in ``hatrack.yaml``; those of ``provider`` are of models that training names, and are not known here."""
    found: list[Limit] = []
    for name, entry in config.hosted.items():
        weights = weights_of(entry)
        found += _limits("model", f"{host_of(weights.base_url)}#{weights.model}", entry.budget.limits, f"hosted.{name}.budget")
    for name, adapter in config.adapters.items():
        found += _limits("adapter", name, adapter.budget.limits, f"adapters.{name}.budget")
    return found


def _entry(config: ProjectConfig, weights: HostedWeights) -> tuple[str, HostedModel | None]:
    for name, entry in config.hosted.items():
        found = weights_of(entry)
        if (found.provider, found.base_url, found.model) == (weights.provider, weights.base_url, weights.model):
            return name, entry
    return "", None


def _limits(whose: Literal["adapter", "model"], of: str, limits: dict[str, float], place: str) -> tuple[Limit, ...]:
    return tuple(Limit(whose, of, period, int(money * NANOS), f"{place}.{period}") for period, money in limits.items())
