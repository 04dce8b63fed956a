"""The keys that the method of the last blocks adds to an adapter in ``hatrack.yaml``."""

from __future__ import annotations

from pydantic import Field

from hatrack.core.strict import Strict

__all__ = ["LastNOptions"]


class LastNOptions(Strict):
    """How many blocks."""

    n: int = Field(2, ge=1, description="Train the last so many blocks.")
