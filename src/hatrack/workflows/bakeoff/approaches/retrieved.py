"""Examples that are looked up for each question: the nearest training rows stand in the prompt."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hatrack.core.chat import Message
from hatrack.data.records import Example
from hatrack.evaluation.prompting import Answer, LabelScores, Prompt, generating, scoring
from hatrack.models.adapters.folder import AdapterCard
from hatrack.models.host import ModelHost
from hatrack.workflows.bakeoff.approaches.demonstrations import fitting, with_examples
from hatrack.workflows.bakeoff.approaches.nearest import KnownRows
from hatrack.workflows.bakeoff.approaches.prompted import Answering, base_card, no_text
from hatrack.workflows.bakeoff.base import Problem, Traits

__all__ = ["FewShotRetrieved"]


class FewShotRetrieved:
    """The nearest row stands last, next to the question. Labels are scored where there are any, and not listed."""

    name = "few-shot-retrieved"
    traits = Traits("the base with the nearest training rows in the prompt", "prompt", effort=3, retrain=False)

    def obstacle(self, problem: Problem) -> str:
        return no_text(problem)

    def identity(self, problem: Problem) -> dict[str, Any]:
        settings = problem.settings
        return {
            "base": problem.base.fingerprint,
            "encoder": problem.encoder.fingerprint,
            "system": problem.config.system,
            "max_length": problem.config.train.max_length,
            "shots": settings.shots,
            "tokens": settings.answer_tokens,
        }

    def fit(self, problem: Problem) -> Answering:
        host, known = ModelHost(problem.base), KnownRows(problem)
        card, found = base_card(problem, host), _Found(known, problem.settings.shots, host)
        answer = _way(host, card, _unlisted(card, with_examples(card, found.near)), problem)

        def answering(rows: Sequence[Example]) -> tuple[list[str], list[int], list[int]]:
            found.look_up(rows)
            return answer(rows)

        return Answering(answering, known.nbytes)


class _Found:
    """The rows near those that are being answered; looked up for all of them at once."""

    def __init__(self, known: KnownRows, count: int, host: ModelHost) -> None:
        self._known, self._count, self._host = known, count, host
        self._near: dict[Example, list[Example]] = {}

    def look_up(self, rows: Sequence[Example]) -> None:
        near = self._known.nearest(rows, self._count)
        self._near = {row: self._fit([self._known.rows[i] for i in best]) for row, best in zip(rows, near, strict=True)}

    def near(self, row: Example) -> list[Example]:
        return self._near[row]

    def _fit(self, best: list[Example]) -> list[Example]:
        return fitting(best, lambda text: len(self._host.renderer.encode(text)))[::-1]


def _unlisted(card: AdapterCard, prompt: Prompt) -> Prompt:
    """Without the list of labels: the examples show those that come into question, and every prompt stays short."""
    if not card.labels:
        return prompt
    head = (Message("system", card.system),) if card.system else ()
    return lambda example: (*head, *prompt(example)[1:])


def _way(host: ModelHost, card: AdapterCard, prompt: Prompt, problem: Problem) -> Answer:
    if card.labels:
        return scoring(host, card, prompt, LabelScores(host, card))
    return generating(host, card, prompt, problem.settings.answer_tokens)
