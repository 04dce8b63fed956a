"""The gate's rules, checked before anything is measured: a rule that names nothing would watch nothing."""

from __future__ import annotations

from hatrack.core.checks import GENERAL, SAFETY
from hatrack.core.config import GateRules
from hatrack.core.errors import ConfigError
from hatrack.core.names import closest
from hatrack.core.verdict import gated_metric, judge
from hatrack.evaluation.metrics.base import METRICS

__all__ = ["check_rules", "gated_metric", "judge"]

_COSTS = ("latency", "latency_p50_ms", "latency_p95_ms", "prompt_tokens", "answer_tokens")


def check_rules(rules: GateRules) -> None:
    """Refuse rules that name what is never measured.

    Raises:
        ConfigError: all of them, with the nearest names.
    """
    metrics = METRICS.names()
    watched = [*metrics, *_COSTS, SAFETY, GENERAL]
    faults = [_unknown("gate.metric", rules.metric, metrics)] if rules.metric and rules.metric not in metrics else []
    faults += [_unknown("gate.no_worse", name, watched) for name in rules.no_worse if name not in watched]
    faults += [
        f"gate.tolerate: {name} is not in gate.no_worse, so nothing of it is tolerated or refused"
        for name in rules.tolerate
        if name not in rules.no_worse
    ]
    if faults:
        raise ConfigError("the gate has rules that would never be applied", faults=tuple(faults), fix="correct gate in hatrack.yaml")


def _unknown(place: str, name: str, known: list[str]) -> str:
    near = closest(name, known, 1)
    return f"{place}: nothing called {name!r} is measured; " + (f"did you mean {near[0]}?" if near else f"known are {', '.join(known)}")
