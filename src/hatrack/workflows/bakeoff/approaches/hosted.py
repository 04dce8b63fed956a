"""A hosted model, asked with the same instruction and examples; it costs what its provider's prices say."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from hatrack.core.config_provider import ProviderSettings, host_of
from hatrack.core.errors import CheckFailed
from hatrack.core.lineage import HostedWeights
from hatrack.data.leaving import check_leaving
from hatrack.data.records import Example
from hatrack.models.adapters.folder import AdapterCard
from hatrack.models.backends.base import BACKENDS, Backend
from hatrack.models.backends.hosted import HOSTED_TEMPLATE, asked_together, hosted_fingerprint
from hatrack.models.causal import Sampling
from hatrack.workflows.bakeoff.approaches.demonstrations import fitting, spread, with_examples
from hatrack.workflows.bakeoff.base import Problem, Traits

__all__ = ["HostedModel"]

_PROVIDER = "openai"  # whoever speaks its protocol


class _Asked:
    parameters = nbytes = 0

    def __init__(self, backend: Backend, prompt: Any, sampling: Sampling) -> None:
        self._backend, self._prompt, self._sampling = backend, prompt, sampling
        self.tokens = (0, 0)

    def answer(self, rows: Sequence[Example]) -> list[str]:
        answers = asked_together(lambda row: self._backend.complete(self._prompt(row), self._sampling), rows)
        self.tokens = (answers[-1].prompt_tokens, answers[-1].answer_tokens)
        return [answer.text.strip() for answer in answers]


class HostedModel:
    """The model under ``provider:``. Only what ``prepare.pii`` and ``provider.personal_data`` allow is sent."""

    name = "hosted"
    traits = Traits("a hosted model with the same examples in every prompt", "hosted", learns=False, retrain=False, offline=False)

    def obstacle(self, problem: Problem) -> str:
        provider = problem.provider
        if provider is None:
            return "no provider in hatrack.yaml"
        if not os.environ.get(provider.api_key_env, "").strip():
            return f"no key in {provider.api_key_env}"
        try:
            check_leaving(problem.config, problem.prepared, host_of(provider.base_url), permitted=provider.personal_data == "send")
        except CheckFailed as error:
            return f"{error.what}: {error.given}"
        return ""

    def identity(self, problem: Problem) -> dict[str, Any]:
        provider = _settings(problem)
        return {
            "model": hosted_fingerprint(_PROVIDER, provider.base_url, provider.model),
            "system": problem.config.system,
            "shots": problem.settings.shots,
            "tokens": problem.settings.answer_tokens,
        }

    def fit(self, problem: Problem) -> _Asked:
        provider = _settings(problem)
        weights = HostedWeights(
            provider=_PROVIDER,
            base_url=provider.base_url,
            api_key_env=provider.api_key_env,
            base_model=provider.model,
            model=provider.model,
            job="",
            hyperparameters={},
            trained_tokens=None,
            data_digest=problem.prepared.record.digest,
        )
        card = AdapterCard(
            task=problem.config.task,
            method="base",
            labels=problem.labels,
            system=problem.config.system,
            template_hash=HOSTED_TEMPLATE,
            base_fingerprint=hosted_fingerprint(_PROVIDER, provider.base_url, provider.model),
            max_length=problem.config.train.max_length,
        )
        # its tokenizer is not here; four letters a token is what providers themselves reckon with
        shown = fitting(spread(problem), lambda text: len(text) // 4)
        longest = max((len(label.encode()) for label in problem.labels), default=problem.settings.answer_tokens - 2)
        return _Asked(BACKENDS.get(_PROVIDER)(weights), with_examples(card, lambda example: shown), Sampling(max_new_tokens=longest + 2))


def _settings(problem: Problem) -> ProviderSettings:
    if problem.provider is None:
        raise ValueError("there is no provider")  # `obstacle` is asked first
    return problem.provider
