"""The keys that LLaMA-Adapter adds to an adapter in ``hatrack.yaml``."""

from __future__ import annotations

from pydantic import Field

from hatrack.core.strict import Strict

__all__ = ["LlamaAdapterOptions"]


class LlamaAdapterOptions(Strict):
    """Prompts and layers."""

    tokens: int = Field(10, ge=1, le=512, description="Prompt vectors of each adapted layer.")
    last_layers: int | None = Field(None, ge=1, description="Adapt the last so many blocks; null: all but the first two.")
