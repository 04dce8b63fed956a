"""A backend: a server elsewhere that holds the base and makes tokens; ``Dispatcher`` turns it into an engine."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from hatrack.core.lineage import Manifest
from hatrack.serving.request import FinishReason, Request, TokenChoice

__all__ = ["UNKNOWN", "Backend", "Step", "Told"]

UNKNOWN = -1  # a token that a server made and did not name


@dataclass(frozen=True)
class Told:
    """Text that a server made of some tokens; of all but the last one it may not say which they were."""

    text: str
    tokens: tuple[int, ...]


Step = TokenChoice | Told | FinishReason  # a token, or text, or at last why there is no more


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

    def servers(self) -> Mapping[str, bool]:
        """Of each server that is watched, by address, whether it answers."""
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

    def stream(self, request: Request, place: int) -> Generator[Step, None, None]:
        """The tokens or the text of an answer as it is made; closing the generator abandons it.

        Raises:
            HatrackError: it cannot be given.
        """
        ...

    def logprobs(self, prompt: Sequence[int], place: int) -> dict[int, float]:
        """Log-probabilities of the likeliest next tokens after ``prompt``, as many as the server tells."""
        ...
