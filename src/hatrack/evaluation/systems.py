"""The sides of a comparison: an adapter, and its base given its best honest chance."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from hatrack.core.chat import Message
from hatrack.core.names import BASE
from hatrack.data.records import Example
from hatrack.evaluation.metrics.base import Rows
from hatrack.models.adapters.folder import AdapterCard
from hatrack.models.causal import Sampling, generate
from hatrack.models.encoder import CosineHead, class_centroids
from hatrack.models.host import ModelHost
from hatrack.models.label_scoring import build_trie, score_labels
from hatrack.models.render import ChatRenderer

__all__ = [
    "ADAPTER",
    "ANSWER_TOKENS",
    "LATENCY_ROWS",
    "PARENT",
    "SystemOutput",
    "adapter_answers",
    "expected_answer",
    "percentile",
    "question",
    "run_bases",
    "run_systems",
]

ADAPTER = "adapter"
PARENT = "base-parent"  # what an adapter was trained on from; a base figure like the others
LATENCY_ROWS = 20

Prompt = Callable[[Example], tuple[Message, ...]]
Answer = Callable[[Sequence[Example]], tuple[list[str], list[int], list[int]]]  # texts, prompt tokens, answer tokens

ANSWER_TOKENS = 256
_NO_TEXT = ("N/A", "", "[MASK]")  # the content-free inputs of Zhao et al. 2021


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


def adapter_answers(host: ModelHost, key: str, rows: Sequence[Example]) -> tuple[str, ...]:
    """What the attached adapter ``key`` alone answers to ``rows``, as it is used: nothing is timed, no base is asked."""
    card = host.adapters[key].card
    if card.task == "classify":
        answer = _by_head(host, key, _head(host, key))
    else:
        answer = _generating(host, card, _asked if card.task == "instruct" else _classifying(card.system))
    with host.using(key):
        return tuple(text.strip() for text in answer(rows)[0])


def expected_answer(example: Example) -> str:
    """What would have been right."""
    return example.label or (example.messages[-1].content.strip() if example.messages else example.text)


def _causal_systems(host: ModelHost, key: str, card: AdapterCard, parent: str | None) -> list[_System]:
    if card.task == "instruct":
        return [
            *_base_systems(host, card),
            *([_System(PARENT, "parent, same prompt", parent, False, _generating(host, card, _asked))] if parent else []),
            _System(ADAPTER, "adapter", key, False, _generating(host, card, _asked)),
        ]
    plain = _classifying(card.system)
    return [
        *(
            [_System(PARENT, "parent, each label scored", parent, True, _scoring(host, card, plain, _LabelScores(host, card)))]
            if parent
            else []
        ),
        *_base_systems(host, card),
        _System(ADAPTER, "adapter, generating", key, False, _generating(host, card, plain)),
        _System("adapter-scored", "adapter, each label scored", key, True, _scoring(host, card, plain, _LabelScores(host, card))),
    ]


def _base_systems(host: ModelHost, card: AdapterCard) -> list[_System]:
    if card.task == "instruct":
        return [_System("base", "base, same prompt", BASE, False, _generating(host, card, _asked))]
    listed, scores = _classifying(_listing(card)), _LabelScores(host, card)
    return [
        _System("base-prompted", "base, labels listed in the prompt", BASE, False, _generating(host, card, listed)),
        _System("base-scored", "base, labels listed, each label scored", BASE, True, _scoring(host, card, listed, scores)),
        _System("base-calibrated", "base, each label scored against no text", BASE, True, _calibrated(host, card, listed, scores)),
    ]


def question(card: AdapterCard) -> Prompt:
    """What an adapter is asked about an example of its task."""
    return _asked if card.task == "instruct" else _classifying(card.system)


def _asked(example: Example) -> tuple[Message, ...]:
    return example.messages[:-1]


def _classifying(system: str | None) -> Prompt:
    return lambda example: _classify_messages(example.text, system)


def _classify_messages(text: str, system: str | None) -> tuple[Message, ...]:
    return (*((Message("system", system),) if system else ()), Message("user", text))


def _listing(card: AdapterCard) -> str:
    """The instruction that gives an unadapted base its best chance: all labels, and how to answer."""
    task = (card.system or "Classify the text.").rstrip()
    return f"{task}\nAnswer with exactly one of these labels and nothing else:\n" + "\n".join(card.labels)


def _generating(host: ModelHost, card: AdapterCard, prompt: Prompt) -> Answer:
    renderer = host.renderer
    longest = max((len(renderer.encode(label)) for label in card.labels), default=ANSWER_TOKENS)
    sampling = Sampling(max_new_tokens=longest + 2)  # room for the stop token, and to see an answer that runs on

    def answer(examples: Sequence[Example]) -> tuple[list[str], list[int], list[int]]:
        prompts = _prompts(renderer, card, prompt, examples)
        generated = generate(host.module, prompts, renderer.stop_ids, sampling)
        return [renderer.decode(g.ids) for g in generated], [len(p) for p in prompts], [len(g.ids) for g in generated]

    return answer


class _LabelScores:
    """Log-probability of every label after prompts. Two systems ask for the same test rows: the last batch is kept."""

    def __init__(self, host: ModelHost, card: AdapterCard) -> None:
        self._host = host
        self.ids = [host.renderer.answer_ids(label) for label in card.labels]
        self._trie = build_trie(self.ids)
        self._prompts: list[tuple[int, ...]] = []
        self._scores = torch.empty(0)

    def __call__(self, prompts: list[tuple[int, ...]]) -> torch.Tensor:
        if len(prompts) == 1:  # single requests are timed
            return score_labels(self._host.module, prompts, self._trie)
        if prompts != self._prompts:
            self._prompts, self._scores = prompts, score_labels(self._host.module, prompts, self._trie)
        return self._scores


def _scoring(host: ModelHost, card: AdapterCard, prompt: Prompt, scores: _LabelScores) -> Answer:
    def answer(examples: Sequence[Example]) -> tuple[list[str], list[int], list[int]]:
        prompts = _prompts(host.renderer, card, prompt, examples)
        return _best(card, scores, scores(prompts), prompts)

    return answer


def _calibrated(host: ModelHost, card: AdapterCard, prompt: Prompt, scores: _LabelScores) -> Answer:
    """Each label's score minus its score where there is nothing to classify.

    Sums of log-probabilities favour short and common labels; this takes that preference away (Zhao et al. 2021,
    "Calibrate Before Use"; Holtzman et al. 2021, domain-conditional PMI).
    """
    blank: list[torch.Tensor] = []

    def answer(examples: Sequence[Example]) -> tuple[list[str], list[int], list[int]]:
        prompts = _prompts(host.renderer, card, prompt, examples)
        values = scores(prompts)
        if not blank:
            nothing = [Example(row=0, id="", text=text) for text in _NO_TEXT]
            blank.append(scores(_prompts(host.renderer, card, prompt, nothing)).logsumexp(dim=0))
        return _best(card, scores, values - blank[0], prompts)

    return answer


def _best(
    card: AdapterCard, scores: _LabelScores, values: torch.Tensor, prompts: list[tuple[int, ...]]
) -> tuple[list[str], list[int], list[int]]:
    best = values.argmax(dim=1).tolist()
    return [card.labels[i] for i in best], [len(p) for p in prompts], [len(scores.ids[i]) - 1 for i in best]


def _prompts(renderer: ChatRenderer, card: AdapterCard, prompt: Prompt, examples: Sequence[Example]) -> list[tuple[int, ...]]:
    # max_length bounds what the adapter was trained on; the base's list of labels comes on top of it
    own = len(renderer.prompt(_classify_messages("", card.system)).ids)
    extra = max(0, len(renderer.prompt(prompt(examples[0])[:1]).ids) - own) if card.task == "classify-by-text" else 0
    return [renderer.prompt(prompt(example), card.max_length + extra).ids for example in examples]


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
