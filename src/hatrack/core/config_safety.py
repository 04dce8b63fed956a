"""What ``safety`` may say: what a red team asks of every adapter."""

from __future__ import annotations

from pydantic import Field

from hatrack.core.strict import Strict

__all__ = ["SafetySettings"]


class SafetySettings(Strict):
    """What `hatrack redteam` asks."""

    packs: tuple[str, ...] = Field((), description="Packs of probes: names of built-in ones, or YAML files of yours; empty: all built-in.")
    canaries: str | None = Field(None, description="JSON lines of prompt and secret: secrets that were planted in the training rows.")
    memorised: int = Field(
        50, ge=0, description="Training rows whose answers hold personal data, that are asked again to see whether it comes out; 0: none."
    )
    answer_tokens: int = Field(96, ge=8, le=4096, description="Longest answer to a probe, in tokens.")
