"""How long work over many rows says how far it is."""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["Progress", "silent"]

Progress = Callable[[str, int, int | None], None]  # what is being done, how many are done, of how many where that is known


def silent(what: str, done: int, total: int | None) -> None:
    """For callers whom nobody watches."""
