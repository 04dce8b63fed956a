"""Examples in the prompt: which training rows are shown, and how many of them fit."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Sequence

from hatrack.core.chat import Message
from hatrack.data.records import Example
from hatrack.evaluation.prompting import Prompt, listing
from hatrack.evaluation.systems import expected_answer
from hatrack.models.adapters.folder import AdapterCard
from hatrack.workflows.bakeoff.approaches.features import asked_text
from hatrack.workflows.bakeoff.base import Problem

__all__ = ["fitting", "instruction", "spread", "with_examples"]

_TOKENS = 1024  # of all examples together: what a small model still reads well, and a CPU in a second or two


def instruction(card: AdapterCard) -> str | None:
    """The system prompt of an unadapted base: with all labels where there are any."""
    return listing(card) if card.labels else card.system


def spread(problem: Problem) -> list[Example]:
    """``settings.shots`` training rows at random, as many labels among them as possible."""
    rng = random.Random(problem.seed)
    by_label: dict[str, list[int]] = defaultdict(list)
    for i, example in enumerate(problem.train):
        by_label[example.label].append(i)
    pools = [by_label[label] for label in sorted(by_label)]
    for pool in pools:
        rng.shuffle(pool)
    rng.shuffle(pools)
    chosen: list[int] = []
    while len(chosen) < problem.settings.shots and any(pools):
        for pool in pools:
            if pool and len(chosen) < problem.settings.shots:
                chosen.append(pool.pop())
    return [problem.train[i] for i in chosen]


def fitting(examples: Sequence[Example], length: Callable[[str], int], most: int = _TOKENS) -> list[Example]:
    """The first of ``examples`` that together take at most ``most`` tokens; those that are too long are passed over."""
    kept, used = [], 0
    for example in examples:
        size = length(asked_text(example)) + length(expected_answer(example)) + 10  # the template's own marks
        if used + size <= most:
            kept.append(example)
            used += size
    return kept


def with_examples(card: AdapterCard, examples: Callable[[Example], Sequence[Example]]) -> Prompt:
    """Instruction, examples as turns of the conversation, then what is asked. ``examples`` chooses them for each row."""
    system = instruction(card)
    head = (Message("system", system),) if system else ()

    def prompt(example: Example) -> tuple[Message, ...]:
        turns = [
            turn for one in examples(example) for turn in (Message("user", asked_text(one)), Message("assistant", expected_answer(one)))
        ]
        if example.messages:  # a whole conversation, its own system prompt first
            own = example.messages[:-1]
            first = own[:1] if own[0].role == "system" else head
            return (*first, *turns, *own[len(first) if own[0].role == "system" else 0 :])
        return (*head, *turns, Message("user", example.text))

    return prompt
