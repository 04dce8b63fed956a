"""Bodies that ask for generated text: chat completions, completions, responses."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

from hatrack.api.errors import Refusal
from hatrack.api.shapes.base import Sampled
from hatrack.api.shapes.format import ResponseFormat, TextFormat
from hatrack.api.shapes.knowledge import KnowledgeBody
from hatrack.core.chat import Message, Role

__all__ = ["ChatBody", "CompletionBody", "InputMessage", "ResponseBody", "TextPart", "TextSettings"]

_MOST_TOKENS = 10_000_000  # far beyond any context: what does not fit is refused with the true bound


class TextPart(BaseModel):
    """A part of a message; only text is understood."""

    model_config = ConfigDict(strict=True)

    type: Literal["text", "input_text", "output_text"] = Field(description="Only text; pictures and sound are refused.")
    text: str = Field(description="The text.")


# What answers of ours and of others carry beside role and content, and what of it changes nothing when it is sent back.
_IGNORED = ("id", "status", "name", "phase")
_EMPTY: tuple[Any, ...] = (None, False, 0, "", [], {})


def _tell_other_keys(document: dict[str, Any]) -> None:
    document["properties"] |= {key: {"description": "Taken and not used."} for key in _IGNORED}
    document["additionalProperties"] = {"enum": list(_EMPTY)}


class InputMessage(BaseModel):
    """One turn."""

    model_config = ConfigDict(extra="allow", strict=True, json_schema_extra=_tell_other_keys)

    role: Literal["system", "developer", "user", "assistant"] = Field(description="Who speaks; developer is system.")
    content: str | list[TextPart] = Field(description="What is said.")
    type: Literal["message"] = Field("message", description="Only messages; calls of tools are refused.")

    def message(self) -> Message:
        """For the renderer.

        Raises:
            Refusal: the turn carries something that is not text.
        """
        extra = {key: value for key, value in (self.model_extra or {}).items() if value and key not in _IGNORED}
        if extra:
            key = next(iter(extra))
            raise Refusal(
                400,
                f"a message with {key[:60]} is not supported",
                code="unsupported_parameter",
                param="messages",
                allowed="role and content",
            )
        role: Role = "system" if self.role == "developer" else self.role
        text = self.content if isinstance(self.content, str) else "".join(part.text for part in self.content)
        return Message(role, text)


class ChatBody(Sampled):
    """POST /v1/chat/completions."""

    messages: list[InputMessage] = Field(min_length=1, max_length=10_000, description="The conversation.")
    max_tokens: int | None = Field(None, ge=1, le=_MOST_TOKENS, description="Longest answer, in tokens.")
    max_completion_tokens: int | None = Field(None, ge=1, le=_MOST_TOKENS, description="The newer name of max_tokens.")
    logprobs: bool | None = Field(None, description="Tell the log-probability of each token.")
    top_logprobs: int | None = Field(None, ge=0, le=20, description="And of so many likely ones beside it.")
    response_format: ResponseFormat | None = Field(None, description="Text, any JSON object, or JSON after a schema.")
    knowledge: bool | KnowledgeBody | None = Field(
        None, description="Answer from documents, with citations: true, false, or where to look. Without it, as the adapter's rag says."
    )

    @property
    def reported(self) -> int | None:
        """How many alternatives of each token are told; None: nothing is.

        Raises:
            Refusal: alternatives are asked for without ``logprobs``.
        """
        if not self.logprobs and self.top_logprobs:
            raise Refusal(
                400, "top_logprobs needs logprobs", code="invalid_request", param="top_logprobs", allowed="logprobs: true beside it"
            )
        return (self.top_logprobs or 0) if self.logprobs else None


# For the document: an empty prompt is refused with how long one may be.
_TEXT = {"type": "string", "minLength": 1}
_IDS = {"type": "array", "items": {"type": "integer", "minimum": 0}, "minItems": 1}
_PROMPT = {"anyOf": [_TEXT, _IDS, *({"type": "array", "items": one, "minItems": 1} for one in (_TEXT, _IDS))]}
Prompt = Annotated[str | list[str] | list[int] | list[list[int]], WithJsonSchema(_PROMPT)]


class CompletionBody(Sampled):
    """POST /v1/completions: goes on with a text, without a chat template."""

    prompt: Prompt = Field(description="Text, texts, or token ids of the base's own tokenizer.")
    max_tokens: int | None = Field(None, ge=1, le=_MOST_TOKENS, description="Longest answer, in tokens.")
    logprobs: int | None = Field(None, ge=0, le=20, description="Tell the log-probability of each token and of so many beside it.")

    @property
    def prompts(self) -> list[str | list[int]]:
        """One prompt after the other."""
        if isinstance(self.prompt, str):
            return [self.prompt]
        if self.prompt and isinstance(self.prompt[0], int):
            return [[token for token in self.prompt if isinstance(token, int)]]
        return [prompt for prompt in self.prompt if not isinstance(prompt, int)]


class TextSettings(BaseModel):
    """``text`` of a response."""

    model_config = ConfigDict(strict=True)

    format: TextFormat | None = Field(None, description="Text, any JSON object, or JSON after a schema.")
    verbosity: Literal["medium"] | None = Field(None, description="Only medium, which changes nothing.")


class ResponseBody(Sampled):
    """POST /v1/responses."""

    answer_tokens_fields: ClassVar[tuple[str, ...]] = ("max_output_tokens",)

    n: Literal[1] | None = Field(None, description="A response has one answer.")
    input: str | list[InputMessage] = Field(description="A question, or a conversation.")
    instructions: str | None = Field(None, description="The system prompt; without it, the adapter's own.")
    max_output_tokens: int | None = Field(None, ge=1, le=_MOST_TOKENS, description="Longest answer, in tokens.")
    knowledge: bool | KnowledgeBody | None = Field(None, description="Answer from documents, as of chat completions.")
    text: TextSettings | None = Field(None, description="What form the answer has.")
    metadata: dict[str, str] | None = Field(None, description="Comes back as it was sent.")

    @property
    def messages(self) -> list[Message]:
        """The conversation with its system prompt.

        Raises:
            Refusal: it is empty, or carries something that is not text.
        """
        turns = [Message("user", self.input)] if isinstance(self.input, str) else [turn.message() for turn in self.input]
        if not turns:
            raise Refusal(
                400, "there is nothing to answer", code="invalid_request", param="input", given="[]", allowed="a text or messages"
            )
        return [Message("system", self.instructions), *turns] if self.instructions else turns

    def echo(self) -> dict[str, Any]:
        """The options that a response repeats."""
        return {
            "instructions": self.instructions,
            "max_output_tokens": self.max_output_tokens,
            "metadata": self.metadata or {},
            "parallel_tool_calls": False,
            "previous_response_id": None,
            "temperature": self.temperature or 0.0,
            "text": self.text.model_dump(by_alias=True, exclude_none=True) if self.text else {"format": {"type": "text"}},
            "tool_choice": "none",
            "tools": [],
            "top_p": 1.0 if self.top_p is None else self.top_p,
            "truncation": "disabled",
        }
