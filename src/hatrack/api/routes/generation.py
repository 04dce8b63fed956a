"""What chat completions, completions and responses share: from a prompt to jobs, from ends to usage, tokens to text."""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence
from typing import Any

from hatrack.api.answers import Job
from hatrack.api.context import Context
from hatrack.api.errors import Refusal
from hatrack.api.shapes.base import MOST_ANSWERS, Sampled
from hatrack.core.lineage import Manifest
from hatrack.serving.request import Finished, TokenChoice

__all__ = ["make_jobs", "new_id", "now", "token_text", "usage"]

_LEAST = -9999.0  # OpenAI's number for a probability of nearly nothing; JSON has no infinity


def make_jobs(
    context: Context,
    body: Sampled,
    manifest: Manifest | None,
    prompts: Sequence[Sequence[int]],
    *,
    logprobs: int | None = None,
    schema: Any = None,
) -> list[Job]:
    """``n`` jobs for each prompt, each with its bound.

    Raises:
        Refusal: a prompt that leaves no room for an answer, or too many answers.
    """
    count = body.n or 1
    if len(prompts) * count > MOST_ANSWERS:
        raise Refusal(
            400, "these are too many answers for one request", code="invalid_request", param="n",
            given=f"{len(prompts)} prompts, {count} answers each", allowed=f"{MOST_ANSWERS} answers", fix="send several requests",
        )  # fmt: skip
    jobs = []
    room = context.service.room(manifest)
    for prompt in prompts:
        left = room - len(prompt)
        longest = body.longest or min(context.settings.answer_tokens, max(1, left))
        if not prompt or longest > left:
            raise Refusal(
                400,
                "the request does not fit into the context",
                code="context_length_exceeded",
                given=f"{len(prompt)} prompt tokens and up to {longest} new ones",
                allowed=f"1 to {room} together",
                fix="shorten the prompt, or ask for fewer tokens",
            )
        jobs += [Job(tuple(prompt), body.sampling(longest, number, logprobs=logprobs, schema=schema)) for number in range(count)]
    return jobs


def usage(prompts: Sequence[int], ends: Sequence[Finished]) -> dict[str, Any]:
    """Tokens used: each prompt counts once, however many answers it got.

    Args:
        prompts: lengths of the prompts.
        ends: the answers of the first prompt, then those of the second.
    """
    spent = sum(end.completion_tokens for end in ends)
    each = max(1, len(ends) // max(1, len(prompts)))
    return {
        "prompt_tokens": sum(prompts),
        "completion_tokens": spent,
        "total_tokens": sum(prompts) + spent,
        "prompt_tokens_details": {"cached_tokens": sum(end.cached_tokens for end in ends[::each])},
    }


def token_text(context: Context, choice: TokenChoice) -> dict[str, Any]:
    """A token with its log-probability, as chat completions tell it. Half a character has no bytes of its own."""
    return {
        **_one(context, choice.token, choice.logprob),
        "top_logprobs": [_one(context, token, logprob) for token, logprob in choice.top],
    }


def _one(context: Context, token: int, logprob: float) -> dict[str, Any]:
    text = context.service.renderer.decode([token])
    whole = bool(text) and "\ufffd" not in text
    return {"token": text, "logprob": max(logprob, _LEAST), "bytes": list(text.encode()) if whole else None}


def new_id(prefix: str) -> str:
    """A fresh id."""
    return f"{prefix}{uuid.uuid4().hex}"


def now() -> int:
    """Unix seconds."""
    return int(time.time())
