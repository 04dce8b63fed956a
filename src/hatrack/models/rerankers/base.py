"""Rerankers read a question and a passage together and say how well the one answers the other: slower than vectors, and closer.

models/my-reranker      a cross-encoder: bundled/NAME, a hub id, a path
KIND:...                another kind, of an entry point hatrack.reranker
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from hatrack.core.plugins import Plugins

__all__ = ["RERANKERS", "Relevance", "Reranker", "open_reranker"]

Relevance = NDArray[np.float32]
CROSS_ENCODER = "cross-encoder"  # the kind of a spec that names none


class Reranker(Protocol):
    """One way to compare a question with passages. Safe to be called by several threads."""

    def scores(self, question: str, passages: Sequence[str]) -> Relevance:
        """How relevant each passage is, ``[passages]``: higher is better, and a score hangs on its own pair alone.

        Raises:
            ModelError: the model cannot be had. ProviderError: an endpoint refuses or does not answer.
        """
        ...


RERANKERS: Plugins[Callable[[str], Reranker]] = Plugins(
    "reranker", {"cross-encoder": "hatrack.models.rerankers.cross_encoder:CrossEncoder"}
)


def open_reranker(text: str, local: Callable[[str], str] = str) -> Reranker:
    """The reranker that a config names. Nothing heavy is loaded before the first question.

    Args:
        local: turns a path of the project into one that can be opened from here.

    Raises:
        ConfigError: no such kind. ModelError: no such model, or one that does not score pairs.
    """
    kind, colon, rest = text.partition(":")
    if not colon or not kind.replace("-", "_").isidentifier() or len(kind) == 1:  # C:\models is a path
        kind, rest = CROSS_ENCODER, text
    return RERANKERS.get(kind)(local(rest) if kind == CROSS_ENCODER else rest)
