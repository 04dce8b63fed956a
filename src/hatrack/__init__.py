"""Hatrack: one base model, many hats."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hatrack.answering.assistant import Assistant

__all__ = ["Assistant", "__version__"]

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    # torch is loaded when an Assistant is asked for, not by `import hatrack`
    if name == "Assistant":
        from hatrack.answering.assistant import Assistant

        return Assistant
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
