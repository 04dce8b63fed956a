"""Hosted models, asked with the same instruction and examples; they cost what their stated prices say."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from hatrack.core.config_hosted import HostedModel
from hatrack.core.config_price import Price
from hatrack.core.config_provider import ProviderSettings, host_of
from hatrack.core.errors import CheckFailed
from hatrack.core.lineage import HostedWeights
from hatrack.data.leaving import check_leaving
from hatrack.data.records import Example
from hatrack.models.adapters.folder import AdapterCard
from hatrack.models.backends.hosted import HOSTED_TEMPLATE, asked_together, hosted_fingerprint
from hatrack.models.backends.metered import MeteredModel
from hatrack.models.backends.terms import weights_of
from hatrack.models.causal import Sampling
from hatrack.workflows.bakeoff.approaches.demonstrations import fitting, spread, with_examples
from hatrack.workflows.bakeoff.base import Problem, Traits

__all__ = ["HostedApproach"]


class _Asked:
    parameters = nbytes = 0

    def __init__(self, model: MeteredModel, prompt: Any, sampling: Sampling) -> None:
        self._model, self._prompt, self._sampling = model, prompt, sampling
        self.tokens = (0, 0)

    def answer(self, rows: Sequence[Example]) -> list[str]:
        answers = asked_together(lambda row: self._model.complete(self._prompt(row), self._sampling), rows)
        self.tokens = (answers[-1].prompt_tokens, answers[-1].answer_tokens)
        return [answer.text.strip() for answer in answers]


class HostedApproach:
    """One model of ``hosted:``, or the one under ``provider:``. Only what their ``personal_data`` allows is sent.

    Args:
        entry: which one; empty for that of ``provider:``.
    """

    traits = Traits("a hosted model with the same examples in every prompt", "hosted", learns=False, retrain=False, offline=False)

    def __init__(self, entry: str = "") -> None:
        self._entry = entry
        self.name = f"hosted-{entry}" if entry else "hosted"

    def obstacle(self, problem: Problem) -> str:
        chosen = self._chosen(problem)
        if chosen is None:
            return "no provider in hatrack.yaml" if not self._entry else f"no {self._entry} under hosted in hatrack.yaml"
        weights = _weights(chosen)
        if not os.environ.get(weights.api_key_env, "").strip():
            return f"no key in {weights.api_key_env}"
        try:
            check_leaving(problem.config, problem.prepared, host_of(weights.base_url), permitted=chosen.personal_data == "send")
        except CheckFailed as error:
            return f"{error.what}: {error.given}"
        return ""

    def identity(self, problem: Problem) -> dict[str, Any]:
        return {
            "model": _fingerprint(self._weights(problem)),
            "system": problem.config.system,
            "shots": problem.settings.shots,
            "tokens": problem.settings.answer_tokens,
        }

    def fit(self, problem: Problem) -> _Asked:
        weights = self._weights(problem)
        card = AdapterCard(
            task=problem.config.task,
            method="base",
            labels=problem.labels,
            system=problem.config.system,
            template_hash=HOSTED_TEMPLATE,
            base_fingerprint=_fingerprint(weights),
            max_length=problem.config.train.max_length,
        )
        # its tokenizer is not here; four letters a token is what providers themselves reckon with
        shown = fitting(spread(problem), lambda text: len(text) // 4)
        longest = max((len(label.encode()) for label in problem.labels), default=problem.settings.answer_tokens - 2)
        model = MeteredModel(weights, problem.terms(weights))
        return _Asked(model, with_examples(card, lambda example: shown), Sampling(max_new_tokens=longest + 2))

    def price(self, problem: Problem) -> Price | None:
        """What is stated for the model."""
        return problem.terms(self._weights(problem)).price

    def _chosen(self, problem: Problem) -> HostedModel | ProviderSettings | None:
        return problem.hosted.get(self._entry) if self._entry else problem.provider

    def _weights(self, problem: Problem) -> HostedWeights:
        chosen = self._chosen(problem)
        if chosen is None:
            raise ValueError("there is no such model")  # `obstacle` is asked first
        return _weights(chosen)


def _weights(chosen: HostedModel | ProviderSettings) -> HostedWeights:
    if isinstance(chosen, HostedModel):
        return weights_of(chosen)
    return weights_of(
        HostedModel(backend="openai", model=chosen.model, base_url=chosen.base_url, api_key_env=chosen.api_key_env)
    )  # whoever speaks its protocol


def _fingerprint(weights: HostedWeights) -> str:
    return hosted_fingerprint(weights.provider, weights.base_url, weights.model)
