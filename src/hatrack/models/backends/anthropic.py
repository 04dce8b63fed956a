"""The ``anthropic`` backend: Claude's Messages API."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from itertools import takewhile
from typing import Any, ClassVar

from hatrack.core.chat import Message
from hatrack.core.errors import RequestError
from hatrack.core.lineage import HostedWeights
from hatrack.models.backends.base import Completion, OnText
from hatrack.models.backends.wire import HostedWire
from hatrack.models.causal import Sampling

__all__ = ["AnthropicBackend"]

_PATH = "/messages"
_VERSION = "2023-06-01"  # of the API; the newest there is
_CUT = ("max_tokens", "model_context_window_exceeded")


class AnthropicBackend:
    """Asks ``weights.model`` at ``weights.base_url``. See ``Backend``."""

    address: ClassVar[str] = "https://api.anthropic.com/v1"
    key_env: ClassVar[str] = "ANTHROPIC_API_KEY"
    seeds: ClassVar[bool] = False

    def __init__(self, weights: HostedWeights, timeout: float) -> None:
        self._wire = HostedWire("Anthropic", weights.base_url, weights.api_key_env, _headers, timeout, "the message")
        self._model, self._sampled = weights.model, weights.sampling
        self.host = self._wire.host

    def complete(
        self, messages: Sequence[Message], sampling: Sampling, *, stop: Sequence[str] = (), on_text: OnText | None = None
    ) -> Completion:
        body = self._body(messages, sampling, stop)
        if on_text is not None:
            return self._streamed(body, on_text)
        answer = self._wire.ask(_PATH, body)
        with self._wire.understanding():
            text = "".join(block["text"] for block in answer["content"] if block["type"] == "text")
            return _completion(text, answer["usage"], answer["stop_reason"])

    def _body(self, messages: Sequence[Message], sampling: Sampling, stop: Sequence[str]) -> dict[str, Any]:
        system = list(takewhile(lambda message: message.role == "system", messages))
        turns = messages[len(system) :]
        if any(message.role == "system" for message in turns):
            raise RequestError(
                "this hosted model takes instructions at the beginning only",
                given="a system message after the first turn",
                allowed="system messages before all others",
                fix="move it to the front",
            )
        body: dict[str, Any] = {
            "model": self._model,
            "max_tokens": sampling.max_new_tokens,
            "messages": [message.as_dict() for message in turns],
        }
        if system:
            body["system"] = "\n\n".join(message.content for message in system)
        if self._sampled:
            body["temperature"] = sampling.temperature
            if sampling.top_p < 1:  # newer models take one of the two, and say so
                body["top_p"] = sampling.top_p
        if stop:
            body["stop_sequences"] = list(stop)
        return body

    def _streamed(self, body: Mapping[str, Any], on_text: OnText) -> Completion:
        pieces: list[str] = []
        usage: dict[str, Any] = {}
        reason = ""
        with closing(self._wire.stream(_PATH, {**body, "stream": True})) as events:
            for event in events:
                piece = ""
                with self._wire.understanding():
                    match event["type"]:
                        case "message_start":
                            usage |= event["message"]["usage"]
                        case "content_block_delta" if event["delta"]["type"] == "text_delta":
                            piece = event["delta"]["text"]
                        case "message_delta":  # its counts are of the whole message so far
                            usage |= {name: count for name, count in event["usage"].items() if count is not None}
                            reason = event["delta"].get("stop_reason") or reason
                if piece:
                    pieces.append(piece)
                    on_text(piece)
        if not reason:
            raise self._wire.misspoke("the stream ended without a reason")
        with self._wire.understanding():
            return _completion("".join(pieces), usage, reason)


def _headers(key: str) -> dict[str, str]:
    return {"x-api-key": key, "anthropic-version": _VERSION}


def _completion(text: str, usage: Mapping[str, Any], reason: str) -> Completion:
    read = sum(int(usage.get(name) or 0) for name in ("cache_creation_input_tokens", "cache_read_input_tokens"))
    return Completion(text, int(usage["input_tokens"]) + read, int(usage["output_tokens"]), reason not in _CUT)
