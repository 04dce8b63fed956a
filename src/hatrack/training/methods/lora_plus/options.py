"""The keys that LoRA+ adds to an adapter in ``hatrack.yaml``."""

from __future__ import annotations

from pydantic import Field

from hatrack.training.methods.lora.options import LoraOptions

__all__ = ["LoraPlusOptions"]


class LoraPlusOptions(LoraOptions):
    """As LoRA, with one learning rate for A and another for B."""

    ratio: float = Field(8, ge=1, description="How many times the learning rate of A is that of B.")
