"""The keys that PiSSA adds to an adapter in ``hatrack.yaml``."""

from __future__ import annotations

from pydantic import Field

from hatrack.training.methods.lora.options import LoraOptions

__all__ = ["PissaOptions"]


class PissaOptions(LoraOptions):
    """As LoRA; the written adapter has twice the rank."""

    r: int = Field(8, ge=1, le=256, description="Rank of the matrices while they are trained.")
    alpha: float = Field(8, gt=0, description="Scale: the matrices are multiplied by alpha / r.")
