"""The base as it is, asked with an instruction and perhaps some examples; the answer is generated, or a label scored."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from hatrack.data.records import Example
from hatrack.evaluation.prompting import Answer, LabelScores, Prompt, calibrated, generating
from hatrack.models.adapters.folder import AdapterCard
from hatrack.models.host import ModelHost
from hatrack.workflows.bakeoff.approaches.demonstrations import fitting, spread, with_examples
from hatrack.workflows.bakeoff.base import Problem, Traits

__all__ = ["Answering", "FewShot", "FewShotScored", "PromptedBase", "ZeroShot", "ZeroShotScored", "base_card", "no_text"]


class Answering:
    """The base and a way of asking it."""

    parameters, tokens = 0, (0, 0)

    def __init__(self, answer: Answer, nbytes: int = 0) -> None:
        self._answer, self.nbytes = answer, nbytes

    def answer(self, rows: Sequence[Example]) -> list[str]:
        return [text.strip() for text in self._answer(rows)[0]]


def base_card(problem: Problem, host: ModelHost) -> AdapterCard:
    """What an adapter of this task would say of itself; the prompts of the bare base are made from it."""
    return AdapterCard(
        task=problem.config.task,
        method="base",
        labels=problem.labels,
        system=problem.config.system,
        template_hash=host.template_hash,
        base_fingerprint=problem.base.fingerprint,
        max_length=problem.config.train.max_length,
    )


def no_text(problem: Problem) -> str:
    """The obstacle of every approach that asks the base in words."""
    return "" if problem.base.kind == "causal" else f"{problem.base.spec} is an encoder and generates no text"


class PromptedBase:
    """What the four have in common."""

    shots: ClassVar[bool]
    scored: ClassVar[bool]

    def obstacle(self, problem: Problem) -> str:
        if self.scored and not problem.labels:
            return "answers have no classes"
        return no_text(problem)

    def identity(self, problem: Problem) -> dict[str, Any]:
        settings = problem.settings
        return {
            "base": problem.base.fingerprint,
            "system": problem.config.system,
            "max_length": problem.config.train.max_length,
            "tokens": settings.answer_tokens,
            **({"shots": settings.shots} if self.shots else {}),
        }

    def fit(self, problem: Problem) -> Answering:
        host = ModelHost(problem.base)
        card = base_card(problem, host)
        shown = fitting(spread(problem), lambda text: len(host.renderer.encode(text))) if self.shots else []
        prompt = with_examples(card, lambda example: shown)
        return Answering(_way(self.scored, host, card, prompt, problem))


def _way(scored: bool, host: ModelHost, card: AdapterCard, prompt: Prompt, problem: Problem) -> Answer:
    """Score the labels, or generate."""
    if scored:
        return calibrated(host, card, prompt, LabelScores(host, card))
    return generating(host, card, prompt, problem.settings.answer_tokens)


class ZeroShot(PromptedBase):
    """An instruction alone."""

    name = "zero-shot"
    traits = Traits("the base with an instruction, generating", "prompt", learns=False, retrain=False)
    shots, scored = False, False


class ZeroShotScored(PromptedBase):
    """An instruction, and the likeliest label."""

    name = "zero-shot-scored"
    traits = Traits("the base with an instruction, each label scored", "prompt", learns=False, retrain=False)
    shots, scored = False, True


class FewShot(PromptedBase):
    """An instruction and examples."""

    name = "few-shot"
    traits = Traits("the base with the same examples in every prompt, generating", "prompt", effort=2, learns=False, retrain=False)
    shots, scored = True, False


class FewShotScored(PromptedBase):
    """An instruction, examples, and the likeliest label."""

    name = "few-shot-scored"
    traits = Traits("the base with the same examples in every prompt, each label scored", "prompt", effort=2, learns=False, retrain=False)
    shots, scored = True, True
