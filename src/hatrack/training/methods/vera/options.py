"""The keys that VeRA adds to an adapter in ``hatrack.yaml``."""

from __future__ import annotations

from pydantic import Field

from hatrack.core.strict import Strict

__all__ = ["VeraOptions"]


class VeraOptions(Strict):
    """The shared matrices and the layers they are used in."""

    r: int = Field(256, ge=1, le=4096, description="Rank of the shared random matrices; far larger than LoRA's.")
    d_initial: float = Field(0.1, gt=0, description="Start value of the vector between the two matrices.")
    dropout: float = Field(0.0, ge=0, lt=1, description="Dropout on the input of the matrices.")
    target_modules: tuple[str, ...] | None = Field(
        None, description="Names of the linear layers to adapt, as the base calls them; null: all in the blocks."
    )
    last_layers: int | None = Field(None, ge=1, description="Adapt only the last so many blocks; null: all. Fewer is faster.")
