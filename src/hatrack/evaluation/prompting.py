"""How a causal base is asked: the words of the prompt, and an answer that is generated or the likeliest of the labels."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

from hatrack.core.chat import Message
from hatrack.data.records import Example
from hatrack.models.adapters.folder import AdapterCard
from hatrack.models.causal import Sampling, generate
from hatrack.models.host import ModelHost
from hatrack.models.label_scoring import build_trie, score_labels
from hatrack.models.render import ChatRenderer

__all__ = [
    "ANSWER_TOKENS",
    "Answer",
    "LabelScores",
    "Prompt",
    "asked",
    "calibrated",
    "classifying",
    "generating",
    "listing",
    "question",
    "scoring",
]

Prompt = Callable[[Example], tuple[Message, ...]]
Answer = Callable[[Sequence[Example]], tuple[list[str], list[int], list[int]]]  # texts, prompt tokens, answer tokens

ANSWER_TOKENS = 256
_NO_TEXT = ("N/A", "", "[MASK]")  # the content-free inputs of Zhao et al. 2021


def question(card: AdapterCard) -> Prompt:
    """What an adapter is asked about an example of its task."""
    return asked if card.task == "instruct" else classifying(card.system)


def asked(example: Example) -> tuple[Message, ...]:
    """The conversation up to the answer."""
    return example.messages[:-1]


def classifying(system: str | None) -> Prompt:
    """The bare text behind the system prompt."""
    return lambda example: _classify_messages(example.text, system)


def _classify_messages(text: str, system: str | None) -> tuple[Message, ...]:
    return (*((Message("system", system),) if system else ()), Message("user", text))


def listing(card: AdapterCard) -> str:
    """The instruction that gives an unadapted base its best chance: all labels, and how to answer."""
    task = (card.system or "Classify the text.").rstrip()
    return f"{task}\nAnswer with exactly one of these labels and nothing else:\n" + "\n".join(card.labels)


def generating(host: ModelHost, card: AdapterCard, prompt: Prompt, most: int = ANSWER_TOKENS) -> Answer:
    """Answers as they are generated, greedily, with whatever adapter is in use; free text takes at most ``most`` tokens."""
    renderer = host.renderer
    longest = max((len(renderer.encode(label)) for label in card.labels), default=most)
    sampling = Sampling(max_new_tokens=longest + 2)  # room for the stop token, and to see an answer that runs on

    def answer(examples: Sequence[Example]) -> tuple[list[str], list[int], list[int]]:
        prompts = _prompts(renderer, card, prompt, examples)
        generated = generate(host.module, prompts, renderer.stop_ids, sampling)
        return [renderer.decode(g.ids) for g in generated], [len(p) for p in prompts], [len(g.ids) for g in generated]

    return answer


class LabelScores:
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


def scoring(host: ModelHost, card: AdapterCard, prompt: Prompt, scores: LabelScores) -> Answer:
    """The label with the highest log-probability as the answer."""

    def answer(examples: Sequence[Example]) -> tuple[list[str], list[int], list[int]]:
        prompts = _prompts(host.renderer, card, prompt, examples)
        return _best(card, scores, scores(prompts), prompts)

    return answer


def calibrated(host: ModelHost, card: AdapterCard, prompt: Prompt, scores: LabelScores) -> Answer:
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
    card: AdapterCard, scores: LabelScores, values: torch.Tensor, prompts: list[tuple[int, ...]]
) -> tuple[list[str], list[int], list[int]]:
    best = values.argmax(dim=1).tolist()
    return [card.labels[i] for i in best], [len(p) for p in prompts], [len(scores.ids[i]) - 1 for i in best]


def _prompts(renderer: ChatRenderer, card: AdapterCard, prompt: Prompt, examples: Sequence[Example]) -> list[tuple[int, ...]]:
    """``max_length`` bounds what an adapter is trained on; a list of labels and examples to follow come on top of it."""
    usual = question(card)
    tokens: dict[tuple[Message, ...], int] = {}  # of what stands before the question

    def before(messages: tuple[Message, ...]) -> int:
        if messages not in tokens:
            tokens[messages] = len(renderer.prompt((*messages, Message("user", ""))).ids)
        return tokens[messages]

    def ids(example: Example) -> tuple[int, ...]:
        asked_so, plain = prompt(example), usual(example)
        extra = max(0, before(asked_so[:-1]) - before(plain[:-1])) if asked_so != plain else 0
        return renderer.prompt(asked_so, card.max_length + extra).ids

    return [ids(example) for example in examples]
