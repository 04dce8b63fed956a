"""The ``openai`` backend: chat completions of OpenAI, and of whoever speaks its protocol, as vLLM's server does."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import closing
from typing import Any, ClassVar

from hatrack.core.chat import Message
from hatrack.core.errors import ProviderError
from hatrack.core.lineage import HostedWeights
from hatrack.models.backends.base import Completion, OnText
from hatrack.models.backends.wire import HostedWire
from hatrack.models.causal import Sampling

__all__ = ["OpenAIBackend"]

_PATH = "/chat/completions"
_LIMIT, _NEWER_LIMIT = "max_tokens", "max_completion_tokens"
_ACCOUNT = {"OpenAI-Organization": "OPENAI_ORG_ID", "OpenAI-Project": "OPENAI_PROJECT_ID"}


class OpenAIBackend:
    """Asks ``weights.model`` at ``weights.base_url``. See ``Backend``."""

    address: ClassVar[str] = "https://api.openai.com/v1"
    key_env: ClassVar[str] = "OPENAI_API_KEY"
    seeds: ClassVar[bool] = True
    protocol: ClassVar[str] = "OpenAI"
    seed_name: ClassVar[str] = "seed"
    finished: ClassVar[tuple[str, ...]] = ("stop",)
    counts_streams_when_asked: ClassVar[bool] = True

    def __init__(self, weights: HostedWeights, timeout: float) -> None:
        self._wire = HostedWire(self.protocol, weights.base_url, weights.api_key_env, self.headers, timeout, "the chat completion")
        self._model, self._sampled = weights.model, weights.sampling
        self._limit = _LIMIT  # every endpoint knows it, but some models only the newer name
        self.host = self._wire.host

    def headers(self, key: str) -> dict[str, str]:
        """The key, and whose account pays where the environment says."""
        account = {header: os.environ[variable] for header, variable in _ACCOUNT.items() if os.environ.get(variable)}
        return {"Authorization": f"Bearer {key}", **account}

    def complete(
        self, messages: Sequence[Message], sampling: Sampling, *, stop: Sequence[str] = (), on_text: OnText | None = None
    ) -> Completion:
        body = self._body(messages, sampling, stop)
        try:
            return self._once({**body, self._limit: sampling.max_new_tokens}, on_text)
        except ProviderError as error:
            if self._limit == _NEWER_LIMIT or error.param != _LIMIT:
                raise
            self._limit = _NEWER_LIMIT
            return self._once({**body, self._limit: sampling.max_new_tokens}, on_text)

    def _body(self, messages: Sequence[Message], sampling: Sampling, stop: Sequence[str]) -> dict[str, Any]:
        body: dict[str, Any] = {"model": self._model, "messages": [message.as_dict() for message in messages]}
        if self._sampled:
            body |= {"temperature": sampling.temperature, "top_p": sampling.top_p}
        if sampling.seed is not None:
            body[self.seed_name] = sampling.seed
        if stop:
            body["stop"] = list(stop)
        return body

    def _once(self, body: Mapping[str, Any], on_text: OnText | None) -> Completion:
        if on_text is not None:
            return self._streamed(body, on_text)
        answer = self._wire.ask(_PATH, body)
        with self._wire.understanding():
            choice = answer["choices"][0]
            return self._completion(_text_of(choice["message"].get("content")), answer["usage"], choice["finish_reason"])

    def _streamed(self, body: Mapping[str, Any], on_text: OnText) -> Completion:
        asked = {"stream_options": {"include_usage": True}} if self.counts_streams_when_asked else {}
        pieces: list[str] = []
        usage: Any = None
        reason = ""
        with closing(self._wire.stream(_PATH, {**body, "stream": True, **asked})) as events:
            for event in events:
                with self._wire.understanding():
                    usage = event.get("usage") or usage
                    piece = ""
                    for choice in event["choices"]:
                        piece += _text_of(choice.get("delta", {}).get("content"))
                        reason = choice.get("finish_reason") or reason
                if piece:
                    pieces.append(piece)
                    on_text(piece)
        if not reason or not usage:
            raise self._wire.misspoke("the stream ended without a reason, or without counting tokens")
        with self._wire.understanding():
            return self._completion("".join(pieces), usage, reason)

    def _completion(self, text: str, usage: Mapping[str, Any], reason: str) -> Completion:
        return Completion(text, int(usage["prompt_tokens"]), int(usage["completion_tokens"]), reason in self.finished)


def _text_of(content: Any) -> str:
    """The text of a content: a text, none where a filter took it, or parts, of which those that are thoughts are left out."""
    if isinstance(content, list):
        return "".join(part["text"] for part in content if part["type"] == "text")
    if not isinstance(content, str | None):
        raise TypeError(f"content is {type(content).__name__}")
    return content or ""
