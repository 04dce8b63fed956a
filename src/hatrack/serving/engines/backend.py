"""A backend: a server elsewhere that holds the base and makes tokens; ``Dispatcher`` turns it into an engine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

from hatrack.core.lineage import Manifest
from hatrack.serving.request import FinishReason, Request, TokenChoice

__all__ = ["Backend", "Step"]

Step = TokenChoice | FinishReason  # a token, or at last why there are no more


class Backend(Protocol):
    """Called from many threads. Adapters lie in places 1, 2, ...; 0 is the base (F33).

    Attributes:
        name: the engine's name, for messages.
    """

    name: str

    def open(self) -> int:
        """Connect or start; returns how many answers it can make at once.

        Raises:
            EngineError: it is away. MissingExtra: a package is not installed.
        """
        ...

    def close(self) -> None:
        """Leave nothing behind."""
        ...

    def takes(self, folder: Path) -> bool:
        """Whether it can answer with the adapter in ``folder``."""
        ...

    def load(self, manifest: Manifest, place: int) -> None:
        """Put an adapter into a place that nobody uses, instead of what was there.

        Raises:
            HatrackError: it cannot be.
        """
        ...

    def stream(self, request: Request, place: int) -> Iterator[Step]:
        """The tokens of an answer as they are made; closing the iterator abandons it.

        Raises:
            HatrackError: it cannot be given.
        """
        ...

    def logprobs(self, prompt: Sequence[int], tokens: Sequence[int], place: int) -> dict[int, float]:
        """Log-probabilities of some ``tokens`` as the next one after ``prompt``; of some it may know none."""
        ...
