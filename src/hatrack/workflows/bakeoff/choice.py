"""Which approaches are tried, in which order; hosted models are as many as ``hatrack.yaml`` names."""

from __future__ import annotations

from typing import get_args

from hatrack.core.config import ProjectConfig
from hatrack.core.config_compare import CompareSettings
from hatrack.core.config_price import Price
from hatrack.core.errors import ConfigError
from hatrack.core.names import closest
from hatrack.workflows.bakeoff.approaches.hosted import HostedApproach
from hatrack.workflows.bakeoff.base import APPROACHES, Approach, Family, Problem

__all__ = ["chosen_approaches", "price_of"]

_ORDER: tuple[Family, ...] = get_args(Family)
_HOSTED = "hosted"


def chosen_approaches(settings: CompareSettings, method: str, config: ProjectConfig) -> list[Approach]:
    """In the order in which they are tried: cheap families first, and in each the adapter's own method.

    ``hosted`` stands for the model under ``provider`` and all of those under ``hosted``; ``hosted-NAME`` for one of these.

    Raises:
        ConfigError: there is no such approach, or no such hosted model.
    """
    approaches: list[Approach] = []
    for one in dict.fromkeys(settings.approaches or APPROACHES.names()):
        if one == _HOSTED:
            entries = [*([""] if config.provider or not config.hosted else []), *config.hosted]
            approaches += [HostedApproach(name) for name in entries]
        elif one.startswith(f"{_HOSTED}-"):
            approaches.append(HostedApproach(_known(one.removeprefix(f"{_HOSTED}-"), config)))
        else:
            approaches.append(APPROACHES.get(one)())
    return sorted(approaches, key=lambda one: (_ORDER.index(one.traits.family), one.name != method, one.traits.effort, one.name))


def price_of(approach: Approach, problem: Problem) -> Price | None:
    """What its answers cost by the price that is stated for its model now; None for what nobody bills."""
    return approach.price(problem) if isinstance(approach, HostedApproach) else None


def _known(entry: str, config: ProjectConfig) -> str:
    if entry not in config.hosted:
        near = closest(entry, config.hosted, 1)
        raise ConfigError(
            f"hatrack.yaml has no hosted model called {entry!r}",
            given=f"{_HOSTED}-{entry}",
            allowed=", ".join(f"{_HOSTED}-{name}" for name in config.hosted) or "none is there",
            fix=f"did you mean {_HOSTED}-{near[0]}?" if near else "add it under hosted",
        )
    return entry
