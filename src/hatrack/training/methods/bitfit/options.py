"""The keys that BitFit adds to an adapter in ``hatrack.yaml``."""

from __future__ import annotations

from pydantic import Field

from hatrack.core.strict import Strict

__all__ = ["BitFitOptions"]


class BitFitOptions(Strict):
    """Biases of the blocks."""

    target_modules: tuple[str, ...] | None = Field(
        None, description="Names of the linear layers whose biases are trained; null: all in the blocks, and the norms' biases."
    )
    last_layers: int | None = Field(None, ge=1, description="Train only the last so many blocks; null: all. Fewer is faster.")
