"""One answer while it is made: tokens so far, where its keys and values lie, and what was told of it."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Protocol

import torch

from hatrack.serving.kv import Chain
from hatrack.serving.request import Failed, Finished, FinishReason, Piece, Request, TokenChoice
from hatrack.serving.sampling import Sampler
from hatrack.serving.text_stream import TextStream

__all__ = ["Answer", "Constraint"]


class Constraint(Protocol):
    """Which tokens may come next."""

    def allowed(self) -> torch.Tensor:
        """A boolean mask over the vocabulary."""
        ...

    def accept(self, token: int) -> None:
        """A token was chosen."""
        ...


@dataclass(eq=False)
class Answer:
    """A request in work. Owned by the engine's thread.

    Attributes:
        ids: the prompt and the tokens chosen so far; the first ``computed`` of them lie in the KV blocks.
        slot: row of the adapter's weights.
    """

    request: Request
    stream: TextStream
    stop_ids: frozenset[int]
    constraint: Constraint | None = None
    chain: Chain | None = None
    slot: int = 0
    computed: int = 0
    ids: list[int] = field(default_factory=list)
    started: float = 0.0
    first: float = 0.0
    over: bool = False

    def __post_init__(self) -> None:
        self.ids = list(self.request.prompt)
        self.sampler = Sampler(self.request.params)

    @property
    def longest(self) -> int:
        """Tokens that may have to lie in KV blocks: the last token chosen never does."""
        return len(self.request.prompt) + self.request.params.max_tokens - 1

    @property
    def plain(self) -> bool:
        """Greedy, with nothing to report or to mask: the likeliest token is all that is needed."""
        params = self.request.params
        return params.temperature == 0 and params.logprobs is None and self.constraint is None

    def choose(self, logits: torch.Tensor) -> TokenChoice:
        """The next token from ``[vocabulary]`` logits."""
        return self.sampler.choose(logits, self.constraint.allowed() if self.constraint else None)

    def accept(self, choice: TokenChoice) -> None:
        """Add a chosen token, tell what is certain of the text, and see whether that was the end."""
        if not self.first:
            self.first = time.monotonic()
        if choice.token in self.stop_ids:
            self.finish("stop")
            return
        if self.constraint is not None:
            self.constraint.accept(choice.token)
        self.ids.append(choice.token)
        text = self.stream.token(choice.token)
        tokens = () if self.request.params.logprobs is None else (choice,)
        if text or tokens:
            self.request.emit(Piece(text, tokens))
        if self.stream.stopped:
            self.finish("stop")
        elif len(self.ids) - len(self.request.prompt) >= self.request.params.max_tokens:
            self.finish("length")

    def finish(self, reason: FinishReason) -> None:
        """The answer is over."""
        self.over = True
        rest = self.stream.end() if reason != "cancelled" else ""
        if rest:
            self.request.emit(Piece(rest))
        now = time.monotonic()
        self.request.emit(
            Finished(
                reason,
                prompt_tokens=len(self.request.prompt),
                cached_tokens=self.chain.shared_tokens if self.chain else 0,
                completion_tokens=len(self.ids) - len(self.request.prompt),
                queued=(self.started or now) - self.request.created,
                first_token=(self.first or now) - self.request.created,
                seconds=now - self.request.created,
            )
        )

    def fail(self, error: Exception) -> None:
        """The answer cannot be given."""
        self.over = True
        self.request.emit(Failed(error))
