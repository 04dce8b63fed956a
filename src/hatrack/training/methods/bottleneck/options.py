"""The keys that bottleneck layers add to an adapter in ``hatrack.yaml``."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from hatrack.core.strict import Strict

__all__ = ["BottleneckOptions"]


class BottleneckOptions(Strict):
    """Width, place and order of the layers."""

    size: int = Field(32, ge=1, le=4096, description="Width of the bottleneck.")
    placement: Literal["pfeiffer", "houlsby"] = Field(
        "pfeiffer", description="pfeiffer: after the feed-forward part of a block; houlsby: after attention too."
    )
    order: Literal["sequential", "parallel"] = Field(
        "sequential", description="sequential: reads what the part gives; parallel: reads what the part reads."
    )
    activation: Literal["relu", "gelu", "silu"] = Field("gelu", description="The nonlinearity between down and up.")
    scale: float = Field(1.0, gt=0, description="The update is multiplied by this; parallel layers often want 4.")
    last_layers: int | None = Field(None, ge=1, description="Adapt only the last so many blocks; null: all. Fewer is faster.")
