"""The sides of a comparison where no answer is generated: how likely the adapter and its base find the test rows."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import numpy as np

from hatrack.core.names import BASE
from hatrack.data.records import Example
from hatrack.evaluation.metrics.base import Rows
from hatrack.evaluation.systems import ADAPTER, LATENCY_ROWS, PARENT, SystemOutput
from hatrack.models.adapters.folder import AdapterCard
from hatrack.models.host import ModelHost
from hatrack.models.likelihood import log_likelihoods
from hatrack.models.render import ChatRenderer, Rendered

__all__ = ["LIKELIHOOD_TASKS", "likelihoods", "score_systems"]

Texts = Callable[[ChatRenderer, Example, int], tuple[Rendered, ...]]


def _complete(renderer: ChatRenderer, example: Example, max_length: int) -> tuple[Rendered, ...]:
    return (renderer.text(example.text, max_length),)


def _prefer(renderer: ChatRenderer, example: Example, max_length: int) -> tuple[Rendered, ...]:
    return renderer.pair(example.messages, example.rejected, max_length)


LIKELIHOOD_TASKS: dict[str, Texts] = {"complete": _complete, "prefer": _prefer}


def score_systems(
    host: ModelHost, key: str, test: Sequence[Example], report: Callable[[str], None], parent: str | None = None
) -> list[SystemOutput]:
    """The log-probabilities that the base, the adapter's parent if it has one, and the adapter ``key`` give to the texts of ``test``."""
    card = host.adapters[key].card
    texts = _texts(host, card, test)
    outputs = []
    sides = [("base", "base, same text", BASE), *([(PARENT, "parent, same text", parent)] if parent else []), (ADAPTER, "adapter", key)]
    for name, description, adapter in sides:
        report(f"{description}: {len(test)} rows")
        with host.using(adapter):
            likelihoods = _scored(host, texts)
            latencies = []
            for row in texts[:LATENCY_ROWS]:
                start = time.perf_counter()
                _scored(host, [row])
                latencies.append(1000 * (time.perf_counter() - start))
        outputs.append(
            SystemOutput(
                name,
                description,
                constrained=False,
                answers=("",) * len(test),
                prompt_tokens=tuple(sum(len(one.ids) for one in row) for row in texts),
                answer_tokens=(0,) * len(test),
                latencies_ms=tuple(latencies),
                likelihoods=likelihoods,
            )
        )
    return outputs


def likelihoods(host: ModelHost, key: str, card: AdapterCard, rows: Sequence[Example]) -> Rows:
    """``[n, texts, 2]``, see ``Answers``: how likely the adapter ``key``, or the base, finds ``rows`` as ``card`` renders them."""
    with host.using(key):
        return _scored(host, _texts(host, card, rows))


def _texts(host: ModelHost, card: AdapterCard, rows: Sequence[Example]) -> list[tuple[Rendered, ...]]:
    return [LIKELIHOOD_TASKS[card.task](host.renderer, example, card.max_length) for example in rows]


def _scored(host: ModelHost, texts: Sequence[tuple[Rendered, ...]]) -> Rows:
    flat = log_likelihoods(host.module, [one for row in texts for one in row]).numpy()
    return np.asarray(flat.reshape(len(texts), len(texts[0]), 2), np.float64)
