"""What the engine is asked and what it tells: plain records, no model in sight."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from hatrack.core.errors import RequestError
from hatrack.core.lineage import Manifest
from hatrack.core.names import BASE

__all__ = ["Event", "Failed", "FinishReason", "Finished", "Piece", "Request", "SamplingParams", "TokenChoice"]

FinishReason = Literal["stop", "length", "cancelled"]


@dataclass(frozen=True)
class SamplingParams:
    """How an answer is made. ``temperature`` 0 is greedy.

    Attributes:
        logprobs: how many alternatives of each token are reported; None: nothing is.
        stop: the answer ends before the first of these strings.
        schema: JSON schema the answer must satisfy; only tokens that can still lead there are chosen.
    """

    max_tokens: int = 256
    temperature: float = 0.0
    top_p: float = 1.0
    top_k: int = 0
    seed: int | None = None
    stop: tuple[str, ...] = ()
    logprobs: int | None = None
    schema: dict[str, Any] | Literal["any-json"] | None = None


@dataclass(frozen=True)
class TokenChoice:
    """A chosen token, its log-probability, and the likeliest ones beside it."""

    token: int
    logprob: float
    top: tuple[tuple[int, float], ...] = ()


@dataclass(frozen=True)
class Piece:
    """More of the answer. ``text`` may be empty while a character or a stop string is not decided yet."""

    text: str
    tokens: tuple[TokenChoice, ...] = ()


@dataclass(frozen=True)
class Finished:
    """The answer is whole.

    Attributes:
        cached_tokens: of the prompt, how many were known from earlier requests of the same adapter and tenant.
        queued, first_token, seconds: seconds until work began, until the first token, and in all.
        cost: of a hosted model's answer, where its price is stated.
    """

    reason: FinishReason
    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int
    queued: float
    first_token: float
    seconds: float
    cost: float | None = None


@dataclass(frozen=True)
class Failed:
    """The request could not be answered; ``error`` says why."""

    error: Exception


Event = Piece | Finished | Failed


@dataclass(eq=False)
class Request:
    """One answer to give.

    Attributes:
        manifest: the adapter's version; None for the base itself.
        prompt: the rendered prompt's token ids.
        tenant: whose request this is; nothing computed for one tenant is used for another.
        emit: called in the engine's thread with each event; must not block.
    """

    manifest: Manifest | None
    prompt: tuple[int, ...]
    params: SamplingParams
    emit: Callable[[Event], None]
    tenant: str = ""
    created: float = field(default_factory=time.monotonic)
    cancelled: bool = False

    @property
    def digest(self) -> str:
        """What every cache key holds (F24)."""
        return self.manifest.digest if self.manifest else BASE

    def must_fit(self, context: int) -> None:
        """See that prompt and answer together have room in ``context`` tokens.

        Raises:
            RequestError: they have not, or there is no prompt.
        """
        if not self.prompt or len(self.prompt) + self.params.max_tokens > context:
            raise RequestError(
                "the request does not fit into the context",
                given=f"{len(self.prompt)} prompt tokens and up to {self.params.max_tokens} new ones",
                allowed=f"1 to {context} together",
                fix="shorten the prompt, or ask for fewer tokens",
            )

    def cancel(self) -> None:
        """Nobody waits for the answer any more; its place is free after the next step. Safe from any thread."""
        self.cancelled = True
