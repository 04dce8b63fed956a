"""The keys that rank-stabilised LoRA adds to an adapter in ``hatrack.yaml``."""

from __future__ import annotations

from pydantic import Field

from hatrack.training.methods.lora.options import LoraOptions

__all__ = ["RsLoraOptions"]


class RsLoraOptions(LoraOptions):
    """As LoRA, for larger ranks."""

    r: int = Field(32, ge=1, le=512, description="Rank of the matrices.")
    alpha: float = Field(16, gt=0, description="Scale: the update is multiplied by alpha / √r.")
