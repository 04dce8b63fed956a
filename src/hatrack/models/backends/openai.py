"""The ``openai`` backend: chat completions of OpenAI, and of whoever speaks its protocol."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hatrack.core.chat import Message
from hatrack.core.lineage import HostedWeights
from hatrack.models.backends.base import Completion
from hatrack.models.backends.endpoint import Endpoint
from hatrack.models.causal import Sampling

__all__ = ["OpenAIBackend"]

_RETRIES = 5  # an evaluation asks many times; one refused request must not lose the others
_LIMIT, _NEWER_LIMIT = "max_tokens", "max_completion_tokens"
_DOING = "the chat completion"


class OpenAIBackend:
    """Asks ``weights.model`` at ``weights.base_url``.

    Raises:
        ConfigError: there is no key. MissingExtra: the package ``openai`` is not installed.
    """

    def __init__(self, weights: HostedWeights) -> None:
        self._endpoint = Endpoint(weights.base_url, weights.api_key_env, _RETRIES)
        self._model = weights.model
        self._limit = _LIMIT  # every endpoint knows it, but some models only the newer name
        self.host = self._endpoint.host

    def complete(self, messages: Sequence[Message], sampling: Sampling) -> Completion:
        with self._endpoint.errors(_DOING):
            answer = self._ask(messages, sampling)
            choice, usage = answer.choices[0], answer.usage
            return Completion(
                choice.message.content or "",  # none where the provider's filter took it
                int(usage.prompt_tokens),
                int(usage.completion_tokens),
                choice.finish_reason == "stop",
            )

    def _ask(self, messages: Sequence[Message], sampling: Sampling) -> Any:
        request: dict[str, Any] = {
            "model": self._model,
            "messages": [message.as_dict() for message in messages],
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "seed": sampling.seed,
        }
        create: Any = self._endpoint.client.chat.completions.create
        given = {key: value for key, value in request.items() if value is not None}
        try:
            return create(**given, **{self._limit: sampling.max_new_tokens})
        except Exception as error:
            if self._limit == _NEWER_LIMIT or getattr(error, "param", None) != _LIMIT:
                raise
            self._limit = _NEWER_LIMIT
            return create(**given, **{self._limit: sampling.max_new_tokens})
