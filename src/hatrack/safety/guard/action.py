"""What a rule did: for the metrics, and for whoever is refused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["Acted"]


@dataclass(frozen=True)
class Acted:
    """One rule that acted. ``rule`` is its key in the config, with ``input`` or ``output`` before it; no text is in it."""

    rule: str
    action: Literal["flagged", "masked", "refused", "repaired", "cut"]
    detail: str = ""
