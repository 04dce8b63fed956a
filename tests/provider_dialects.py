"""How the chat APIs of three providers are spoken on loopback: what they accept, answer, stream, and how they refuse.

Each checks its bodies as the provider documents them: keys that it does not know are refused, as are values out of range.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, ClassVar

__all__ = ["DIALECTS", "Answer", "Anthropic", "Mistral", "OpenAI"]


@dataclass(frozen=True)
class Answer:
    """What a model says: the whole text, how it ended, and tokens."""

    model: str
    text: str | None
    cut: bool
    prompt_tokens: int
    answer_tokens: int


class OpenAI:
    """OpenAI's chat completions; ``chatty``: a new piece for each word."""

    path = "/chat/completions"
    keys: ClassVar[set[str]] = {
        "model",
        "messages",
        "temperature",
        "top_p",
        "seed",
        "stop",
        "max_tokens",
        "max_completion_tokens",
        "stream",
        "stream_options",
    }
    seed, stop, hottest = "seed", "stop", 2.0

    def key(self, headers: Any) -> str:
        return str(headers.get("Authorization", "")).removeprefix("Bearer ")

    def error(self, status: int, message: str, *, code: str | None = None, param: str | None = None) -> Any:
        return {"error": {"message": message, "type": "invalid_request_error", "param": param, "code": code}}

    def fault(self, body: dict[str, Any]) -> tuple[int, Any] | None:
        strange = sorted(body.keys() - self.keys)
        if strange:
            return 400, self.error(400, f"Unknown parameter: '{strange[0]}'.", param=strange[0])
        if not 0 <= body.get("temperature", 1) <= self.hottest:
            return 400, self.error(400, "Invalid 'temperature'", param="temperature")
        return None

    def limit(self, body: dict[str, Any]) -> int:
        return int(body.get("max_tokens") or body.get("max_completion_tokens") or 10**6)

    def turns(self, body: dict[str, Any]) -> list[dict[str, str]]:
        return list(body["messages"])

    def whole(self, answer: Answer) -> Any:
        choice = {"index": 0, "message": {"role": "assistant", "content": answer.text}, "finish_reason": self.reason(answer)}
        return {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1,
            "model": answer.model,
            "choices": [choice],
            "usage": self.usage(answer),
        }

    def events(self, answer: Answer, body: dict[str, Any]) -> list[str]:
        head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": answer.model}
        pieces = [{"choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None}]}]
        pieces += [{"choices": [{"index": 0, "delta": {"content": word}, "finish_reason": None}]} for word in words_of(answer)]
        pieces += self.endings(answer, body)
        return [*(f"data: {json.dumps({**head, **piece})}\n\n" for piece in pieces), "data: [DONE]\n\n"]

    def endings(self, answer: Answer, body: dict[str, Any]) -> list[Any]:
        end = {"choices": [{"index": 0, "delta": {}, "finish_reason": self.reason(answer)}]}
        asked = (body.get("stream_options") or {}).get("include_usage")
        return [end, {"choices": [], "usage": self.usage(answer)}] if asked else [end]

    def broken(self) -> str:
        """A fault in the middle of a stream."""
        return f"data: {json.dumps({'error': {'message': 'the server had an error', 'type': 'server_error'}})}\n\n"

    @staticmethod
    def reason(answer: Answer) -> str:
        return "length" if answer.cut else "stop"

    @staticmethod
    def usage(answer: Answer) -> dict[str, int]:
        total = answer.prompt_tokens + answer.answer_tokens
        return {"prompt_tokens": answer.prompt_tokens, "completion_tokens": answer.answer_tokens, "total_tokens": total}


class Mistral(OpenAI):
    """Mistral's: another name for the seed, faults of a body as a list, tokens in the last piece, parts as content."""

    keys: ClassVar[set[str]] = {"model", "messages", "temperature", "top_p", "random_seed", "stop", "max_tokens", "stream"}
    seed, hottest = "random_seed", 1.5

    def error(self, status: int, message: str, *, code: str | None = None, param: str | None = None) -> Any:
        return {"object": "error", "message": message, "type": "invalid_request_error", "param": param, "code": code}

    def fault(self, body: dict[str, Any]) -> tuple[int, Any] | None:
        strange = sorted(body.keys() - self.keys)
        if strange:
            detail = [{"type": "extra_forbidden", "loc": ["body", strange[0]], "msg": "Extra inputs are not permitted"}]
            return 422, {"object": "error", "message": {"detail": detail}, "type": "invalid_request_error"}
        return super().fault(body)

    def whole(self, answer: Answer) -> Any:
        told = super().whole(answer)
        if answer.text is not None:  # as models that think answer
            thought = {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}
            told["choices"][0]["message"]["content"] = [thought, {"type": "text", "text": answer.text}]
        return told

    def endings(self, answer: Answer, body: dict[str, Any]) -> list[Any]:
        end = {"choices": [{"index": 0, "delta": {"content": ""}, "finish_reason": self.reason(answer)}], "usage": self.usage(answer)}
        return [end]


class Anthropic:
    """Claude's Messages API."""

    path = "/messages"
    keys: ClassVar[set[str]] = {"model", "messages", "system", "max_tokens", "temperature", "top_p", "top_k", "stop_sequences", "stream"}
    seed, stop = "", "stop_sequences"

    def key(self, headers: Any) -> str:
        return str(headers.get("x-api-key", "")) if headers.get("anthropic-version") == "2023-06-01" else ""

    def error(self, status: int, message: str, *, code: str | None = None, param: str | None = None) -> Any:
        kinds = {400: "invalid_request_error", 401: "authentication_error", 404: "not_found_error", 429: "rate_limit_error"}
        return {"type": "error", "error": {"type": kinds.get(status, "api_error"), "message": message}, "request_id": "req_1"}

    def fault(self, body: dict[str, Any]) -> tuple[int, Any] | None:
        strange = sorted(body.keys() - self.keys)
        roles = [turn["role"] for turn in body["messages"]]
        if strange:
            return 400, self.error(400, f"{strange[0]}: Extra inputs are not permitted")
        if "max_tokens" not in body:
            return 400, self.error(400, "max_tokens: Field required")
        if set(roles) - {"user", "assistant"} or not roles or roles[0] != "user":
            return 400, self.error(400, f"messages: unexpected roles {roles}")
        if "temperature" in body and "top_p" in body:
            return 400, self.error(400, "`temperature` and `top_p` cannot both be specified for this model.")
        if not 0 <= body.get("temperature", 1) <= 1:
            return 400, self.error(400, "temperature: range: 0..1")
        return None

    def limit(self, body: dict[str, Any]) -> int:
        return int(body["max_tokens"])

    def turns(self, body: dict[str, Any]) -> list[dict[str, str]]:
        return [*([{"role": "system", "content": body["system"]}] if "system" in body else []), *body["messages"]]

    def whole(self, answer: Answer) -> Any:
        content = [{"type": "text", "text": answer.text}] if answer.text is not None else []
        return {**self._head(answer), "content": content, "stop_reason": self._reason(answer), "usage": self._usage(answer)}

    def events(self, answer: Answer, body: dict[str, Any]) -> list[str]:
        begun = {**self._head(answer), "content": [], "stop_reason": None, "usage": {**self._usage(answer), "output_tokens": 1}}
        told = [{"type": "message_start", "message": begun}]
        told += [{"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}, {"type": "ping"}]
        told += [{"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": word}} for word in words_of(answer)]
        told += [{"type": "content_block_stop", "index": 0}]
        told += [
            {"type": "message_delta", "delta": {"stop_reason": self._reason(answer)}, "usage": {"output_tokens": answer.answer_tokens}}
        ]
        told += [{"type": "message_stop"}]
        return [f"event: {one['type']}\ndata: {json.dumps(one)}\n\n" for one in told]

    def broken(self) -> str:
        told = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
        return f"event: error\ndata: {json.dumps(told)}\n\n"

    @staticmethod
    def _head(answer: Answer) -> dict[str, Any]:
        return {"id": "msg_1", "type": "message", "role": "assistant", "model": answer.model, "stop_sequence": None}

    @staticmethod
    def _reason(answer: Answer) -> str:
        return "max_tokens" if answer.cut else "end_turn"

    @staticmethod
    def _usage(answer: Answer) -> dict[str, Any]:
        read = answer.prompt_tokens // 2  # as if half of the prompt came from a cache
        return {"input_tokens": answer.prompt_tokens - read, "cache_read_input_tokens": read, "cache_creation_input_tokens": 0,
                "output_tokens": answer.answer_tokens}  # fmt: skip


def words_of(answer: Answer) -> list[str]:
    return [word if number == 0 else f" {word}" for number, word in enumerate((answer.text or "").split())]


DIALECTS: dict[str, Any] = {"openai": OpenAI(), "mistral": Mistral(), "anthropic": Anthropic()}
