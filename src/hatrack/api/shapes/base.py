"""What all bodies share: an option that would change the answer is refused by name, one that changes nothing is taken.

A client that sends ``tools`` must not get an answer as if there were none; one that sends ``user`` should not fail.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema, model_validator

from hatrack.api.errors import Refusal
from hatrack.core.names import closest
from hatrack.serving.request import SamplingParams

__all__ = ["MOST_ANSWERS", "Sampled", "Shape", "StreamOptions"]

MOST_ANSWERS = 64  # of one request
_MOST_STOPS, _LONGEST_STOP = 16, 256
_SEED = 2**63
_GREEDY = 1e-4  # temperatures below this are 0: the division would overflow

# Options that only concern OpenAI's own service.
_IGNORED = frozenset(
    {
        "client_metadata",
        "include",
        "metadata",
        "moderation",
        "parallel_tool_calls",
        "prompt_cache_key",
        "prompt_cache_options",
        "prompt_cache_retention",
        "safety_identifier",
        "service_tier",
        "store",
        "truncation",
        "user",
    }
)
# Options that mean nothing while they have one of these values.
_NEUTRAL: Mapping[str, tuple[Any, ...]] = {
    "tools": (None, []),
    "tool_choice": (None, "none", "auto"),
    "functions": (None, []),
    "function_call": (None, "none", "auto"),
    "frequency_penalty": (None, 0),
    "presence_penalty": (None, 0),
    "repetition_penalty": (None, 1),
    "min_p": (None, 0),
    "logit_bias": (None, {}),
    "modalities": (None, ["text"]),
    "audio": (None,),
    "prediction": (None,),
    "reasoning_effort": (None, "none"),
    "reasoning": (None, {}),
    "verbosity": (None, "medium"),
    "web_search_options": (None,),
    "best_of": (None, 1),
    "echo": (None, False),
    "suffix": (None, ""),
    "background": (None, False),
    "conversation": (None,),
    "previous_response_id": (None,),
    "prompt": (None,),
    "context_management": (None, []),
    "max_tool_calls": (None,),
    "stream_options": (None, {}),
    "top_logprobs": (None, 0),
    "logprobs": (None, False, 0),
    "dimensions": (None,),
}


def _tell_other_options(document: dict[str, Any]) -> None:
    """What the OpenAPI document says of a body's other options: what is taken, and that there are no more."""
    known = document["properties"]
    for option in sorted(_IGNORED - known.keys()):
        known[option] = {"description": "Taken and not used."}
    for option, values in _NEUTRAL.items():
        known.setdefault(option, {"enum": list(values), "description": "Taken while it changes nothing."})
    document["additionalProperties"] = False


# For the document: what breaks these bounds is refused with all of them at once.
_STOP_TEXT = {"type": "string", "minLength": 1, "maxLength": _LONGEST_STOP}
_STOP = {"anyOf": [_STOP_TEXT, {"type": "array", "items": _STOP_TEXT, "maxItems": _MOST_STOPS}, {"type": "null"}]}
Stop = Annotated[str | list[str] | None, WithJsonSchema(_STOP)]


class Shape(BaseModel):
    """A body. Nothing is converted: a number in quotes is not a number, and there is no NaN."""

    model_config = ConfigDict(extra="allow", strict=True, allow_inf_nan=False, json_schema_extra=_tell_other_options)

    model: str = Field(description="The adapter: NAME, NAME@VERSION or NAME@ALIAS; base; or auto, where routing chooses.")

    @model_validator(mode="before")
    @classmethod
    def _can_be_written_again(cls, value: Any) -> Any:
        """JSON as Python reads it may hold half a character or NaN, also where nobody looks before the tokenizer does."""
        if not isinstance(value, dict):
            return value  # refused as what it is
        try:
            json.dumps(value, ensure_ascii=False, allow_nan=False).encode("utf-8")
        except UnicodeEncodeError as error:
            raise ValueError("there is half a character (a lone surrogate) in it") from error
        except RecursionError as error:
            raise ValueError("it is nested too deeply") from error
        return value

    @model_validator(mode="after")
    def _other_options_change_nothing(self) -> Shape:
        for option, value in (self.model_extra or {}).items():
            if option in _IGNORED or any(value == neutral for neutral in _NEUTRAL.get(option, ())):
                continue
            if option in _NEUTRAL:
                allowed = " or ".join("to leave it out" if neutral is None else repr(neutral) for neutral in _NEUTRAL[option])
                raise Refusal(
                    400,
                    f"{option} is not supported here, and without it the answer would be another one",
                    code="unsupported_parameter",
                    param=option,
                    allowed=allowed,
                    fix=f"leave {option} out",
                )
            near = closest(option, [*type(self).model_fields, *_NEUTRAL], 1)
            raise Refusal(
                400,
                f"there is no option {option[:60]!r}",
                code="unknown_parameter",
                param=option[:60],
                fix=f"did you mean {near[0]}?" if near else "see docs/api.md for the options there are",
            )
        return self


class StreamOptions(BaseModel):
    """What a stream tells besides the answer."""

    model_config = ConfigDict(strict=True)

    include_usage: bool | None = Field(None, description="A last chunk says how many tokens were used.")


class Sampled(Shape):
    """A body that asks for generated text."""

    temperature: float | None = Field(None, ge=0, le=2, description="0, which is the default here, always takes the likeliest token.")
    top_p: float | None = Field(None, ge=0, le=1, description="Only the likeliest tokens that together reach this probability.")
    top_k: int | None = Field(None, ge=0, le=1_000_000, description="Only so many of the likeliest tokens; 0: all. Not OpenAI's.")
    seed: int | None = Field(None, ge=-_SEED, lt=_SEED, description="The same seed gives the same answer.")
    stop: Stop = Field(None, description=f"Up to {_MOST_STOPS} texts before which the answer ends.")
    n: int | None = Field(None, ge=1, le=MOST_ANSWERS, description="How many answers; with a seed, each has the next one.")
    stream: bool | None = Field(None, description="Send the answer as server-sent events while it is made.")
    stream_options: StreamOptions | None = Field(None, description="What a stream tells besides the answer.")

    # where the longest answer stands; the first that is given counts
    answer_tokens_fields: ClassVar[tuple[str, ...]] = ("max_completion_tokens", "max_tokens")

    @property
    def longest(self) -> int | None:
        """Most tokens of an answer, where the body says."""
        return next((value for name in self.answer_tokens_fields if (value := getattr(self, name, None)) is not None), None)

    @property
    def wants_usage(self) -> bool:
        """Whether a stream should end with the tokens used."""
        return self.stream_options is not None and bool(self.stream_options.include_usage)

    def sampling(
        self, max_tokens: int, number: int = 0, *, logprobs: int | None = None, schema: dict[str, Any] | Literal["any-json"] | None = None
    ) -> SamplingParams:
        """For the engine; ``number`` counts the answers to one prompt, which differ in their seed.

        Raises:
            Refusal: too many stop texts, or an empty or a long one.
        """
        temperature = self.temperature or 0.0
        greedy = temperature < _GREEDY or self.top_p == 0
        return SamplingParams(
            max_tokens=max_tokens,
            temperature=0.0 if greedy else temperature,
            top_p=1.0 if self.top_p is None or greedy else self.top_p,
            top_k=self.top_k or 0,
            seed=None if self.seed is None else (self.seed + number) % _SEED,
            stop=self._stops(),
            logprobs=logprobs,
            schema=schema,
        )

    def _stops(self) -> tuple[str, ...]:
        words = [self.stop] if isinstance(self.stop, str) else self.stop or []
        if len(words) > _MOST_STOPS or any(not 0 < len(word) <= _LONGEST_STOP for word in words):
            raise Refusal(
                400,
                "these stop texts cannot be used",
                code="invalid_request",
                param="stop",
                given=f"{len(words)} texts, of {min(map(len, words))} to {max(map(len, words))} characters",
                allowed=f"up to {_MOST_STOPS} texts of 1 to {_LONGEST_STOP} characters",
                fix="send fewer, or cut the answer afterwards",
            )
        return tuple(words)
