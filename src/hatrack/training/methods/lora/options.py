"""The keys that LoRA adds to an adapter in ``hatrack.yaml``."""

from __future__ import annotations

from pydantic import Field

from hatrack.core.strict import Strict

__all__ = ["LoraOptions"]


class LoraOptions(Strict):
    """Rank-r matrices beside chosen linear layers."""

    r: int = Field(16, ge=1, le=512, description="Rank of the matrices.")
    alpha: float = Field(32, gt=0, description="Scale: the update is multiplied by alpha / r.")
    dropout: float = Field(0.0, ge=0, lt=1, description="Dropout on the input of the matrices.")
    target_modules: tuple[str, ...] | None = Field(
        None, description="Names of the linear layers to adapt, as the base calls them; null: all in the blocks."
    )
    last_layers: int | None = Field(None, ge=1, description="Adapt only the last so many blocks; null: all. Fewer is faster.")
