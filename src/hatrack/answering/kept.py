"""What is kept of an answer, and what is told of the cache: plain records."""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hatrack.serving.request import FinishReason, TokenChoice

__all__ = ["CacheFigures", "Found", "KeptAnswer", "Near"]


@dataclass(frozen=True)
class KeptAnswer:
    """An answer as it was finished."""

    text: str
    tokens: tuple[TokenChoice, ...]
    reason: FinishReason
    prompt_tokens: int
    completion_tokens: int

    def encode(self) -> bytes:
        """As the file holds it."""
        tokens = [[choice.token, choice.logprob, choice.top] for choice in self.tokens]
        return json.dumps([self.text, tokens, self.reason, self.prompt_tokens, self.completion_tokens], separators=(",", ":")).encode()

    @classmethod
    def decode(cls, value: bytes) -> KeptAnswer:
        """What ``encode`` wrote; raises ValueError or TypeError for anything else."""
        text, tokens, reason, prompt, completion = json.loads(value)
        choices = tuple(TokenChoice(token, logprob, tuple((i, p) for i, p in top)) for token, logprob, top in tokens)
        return cls(text, choices, reason, prompt, completion)


@dataclass(frozen=True, eq=False)
class Near:
    """What makes another wording the same question.

    Attributes:
        key: of all that must be equal: the request without its question, and the question's content words.
        vector: the question's embedding, of length one.
        similarity: cosine that both questions must have.
    """

    key: str
    vector: NDArray[np.float32]
    similarity: float


@dataclass(frozen=True)
class Found:
    """A kept answer; ``near``: it was given to another wording of the question."""

    answer: KeptAnswer
    near: bool


@dataclass(frozen=True)
class CacheFigures:
    """What the file holds, which other processes may share, and what this process has seen."""

    answers: int
    bytes: int
    hits: int
    near_hits: int
    misses: int
