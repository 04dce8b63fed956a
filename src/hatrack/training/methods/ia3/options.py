"""The keys that (IA)³ adds to an adapter in ``hatrack.yaml``."""

from __future__ import annotations

from pydantic import Field

from hatrack.core.strict import Strict

__all__ = ["Ia3Options"]


class Ia3Options(Strict):
    """One vector for each scaled layer."""

    last_layers: int | None = Field(None, ge=1, description="Adapt only the last so many blocks; null: all. Fewer is faster.")
    target_modules: tuple[str, ...] | None = Field(
        None, description="Names of linear layers whose outputs are scaled; null: keys, values, and the feed-forward input."
    )
