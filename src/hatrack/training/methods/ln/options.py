"""The keys that the tuning of norms adds to an adapter in ``hatrack.yaml``."""

from __future__ import annotations

from pydantic import Field

from hatrack.core.strict import Strict

__all__ = ["NormOptions"]


class NormOptions(Strict):
    """Which norms."""

    last_layers: int | None = Field(None, ge=1, description="Train only the norms of the last so many blocks; null: every norm.")
