"""The sides of a comparison: an adapter, and its base given its best honest chance."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from hatrack.core.names import BASE
from hatrack.data.records import Example
from hatrack.evaluation.metrics.base import Rows
from hatrack.evaluation.prompting import Answer, LabelScores, asked, calibrated, classifying, generating, listing, scoring
from hatrack.models.adapters.folder import AdapterCard
from hatrack.models.encoder import CosineHead, class_centroids
from hatrack.models.host import ModelHost

__all__ = [
    "ADAPTER",
    "LATENCY_ROWS",
    "PARENT",
    "SystemOutput",
    "adapter_answers",
    "expected_answer",
    "percentile",
    "run_bases",
    "run_systems",
]

ADAPTER = "adapter"
PARENT = "base-parent"  # what an adapter was trained on from; a base figure like the others
LATENCY_ROWS = 20


@dataclass(frozen=True)
class SystemOutput:
    """What one system answered and what it took. ``likelihoods`` as in ``Answers``, where it was asked for no answer."""

    name: str
    description: str
    constrained: bool
    answers: tuple[str, ...]
    prompt_tokens: tuple[int, ...]
    answer_tokens: tuple[int, ...]
    latencies_ms: tuple[float, ...]  # single requests on the first rows, see LATENCY_ROWS
    likelihoods: Rows | None = None
    own_tokens: bool = False  # counted by another tokenizer than the base's
    costs: tuple[float, ...] = ()  # of each answer, where a provider bills it at a stated price


@dataclass(frozen=True)
class _System:
    name: str
    description: str
    adapter: str  # key on the host
    constrained: bool
    answer: Answer


def run_systems(
    host: ModelHost,
    key: str,
    test: Sequence[Example],
    train: Sequence[Example],
    report: Callable[[str], None],
    parent: str | None = None,
) -> list[SystemOutput]:
    """Let the adapter ``key`` and the base answer ``test``. ``train`` is what a base classifier may take centroids from."""
    card = host.adapters[key].card
    systems = _encoder_systems(host, key, train) if card.task == "classify" else _causal_systems(host, key, card, parent)
    return _run(host, systems, test, report)


def run_bases(host: ModelHost, card: AdapterCard, test: Sequence[Example], report: Callable[[str], None]) -> list[SystemOutput]:
    """Let the causal base alone answer ``test``: what an adapter with this card, wherever it is, is compared with."""
    return _run(host, _base_systems(host, card), test, report)


def _run(host: ModelHost, systems: Sequence[_System], test: Sequence[Example], report: Callable[[str], None]) -> list[SystemOutput]:
    outputs = []
    for system in systems:
        report(f"{system.description}: {len(test)} rows")
        with host.using(system.adapter):
            texts, prompt_tokens, answer_tokens = system.answer(test)
            latencies = []
            for example in test[:LATENCY_ROWS]:
                start = time.perf_counter()
                system.answer([example])
                latencies.append(1000 * (time.perf_counter() - start))
        outputs.append(
            SystemOutput(
                system.name,
                system.description,
                system.constrained,
                tuple(text.strip() for text in texts),
                tuple(prompt_tokens),
                tuple(answer_tokens),
                tuple(latencies),
            )
        )
    return outputs


def adapter_answers(host: ModelHost, key: str, rows: Sequence[Example], card: AdapterCard | None = None) -> tuple[str, ...]:
    """What the attached adapter ``key`` alone answers to ``rows``, as it is used: nothing is timed, no base is asked.

    Args:
        card: of another adapter, which says how both are asked; None: its own.
    """
    card = card or host.adapters[key].card
    if card.task == "classify":
        answer = _by_head(host, key, _head(host, key))
    else:
        answer = generating(host, card, asked if card.task == "instruct" else classifying(card.system))
    with host.using(key):
        return tuple(text.strip() for text in answer(rows)[0])


def expected_answer(example: Example) -> str:
    """What would have been right."""
    return example.label or (example.messages[-1].content.strip() if example.messages else example.text)


def _causal_systems(host: ModelHost, key: str, card: AdapterCard, parent: str | None) -> list[_System]:
    if card.task == "instruct":
        return [
            *_base_systems(host, card),
            *([_System(PARENT, "parent, same prompt", parent, False, generating(host, card, asked))] if parent else []),
            _System(ADAPTER, "adapter", key, False, generating(host, card, asked)),
        ]
    plain = classifying(card.system)
    return [
        *(
            [_System(PARENT, "parent, each label scored", parent, True, scoring(host, card, plain, LabelScores(host, card)))]
            if parent
            else []
        ),
        *_base_systems(host, card),
        _System(ADAPTER, "adapter, generating", key, False, generating(host, card, plain)),
        _System("adapter-scored", "adapter, each label scored", key, True, scoring(host, card, plain, LabelScores(host, card))),
    ]


def _base_systems(host: ModelHost, card: AdapterCard) -> list[_System]:
    if card.task == "instruct":
        return [_System("base", "base, same prompt", BASE, False, generating(host, card, asked))]
    listed, scores = classifying(listing(card)), LabelScores(host, card)
    return [
        _System("base-prompted", "base, labels listed in the prompt", BASE, False, generating(host, card, listed)),
        _System("base-scored", "base, labels listed, each label scored", BASE, True, scoring(host, card, listed, scores)),
        _System("base-calibrated", "base, each label scored against no text", BASE, True, calibrated(host, card, listed, scores)),
    ]


def _encoder_systems(host: ModelHost, key: str, train: Sequence[Example]) -> list[_System]:
    card = host.adapters[key].card
    number = {label: i for i, label in enumerate(card.labels)}
    with host.using(BASE):
        embeddings = host.embed_ids(host.tokenize([example.text for example in train], card.max_length))
    centroids = CosineHead(class_centroids(embeddings, torch.tensor([number[example.label] for example in train]), len(card.labels)))
    return [
        _System("base-centroid", "base, nearest class centroid", BASE, True, _by_head(host, key, centroids)),
        _System(ADAPTER, "adapter", key, True, _by_head(host, key, _head(host, key))),
    ]


def _head(host: ModelHost, key: str) -> CosineHead:
    head = host.adapters[key].head
    if head is None:
        raise RuntimeError("a classify adapter is attached without its head")  # ModelHost.attach reads it or refuses
    return head


def _by_head(host: ModelHost, key: str, head: CosineHead) -> Answer:
    """Embeddings of whatever is switched on, and the nearest class of ``head``; ``key`` says the labels."""
    card = host.adapters[key].card

    def answer(examples: Sequence[Example]) -> tuple[list[str], list[int], list[int]]:
        rows = host.tokenize([example.text for example in examples], card.max_length)
        with torch.inference_mode():
            best = head(host.embed_ids(rows)).argmax(dim=1).tolist()
        return [card.labels[i] for i in best], [len(row) for row in rows], [0] * len(rows)

    return answer


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which ``share`` of ``values`` lie."""
    return float(np.quantile(np.array(values), share))
