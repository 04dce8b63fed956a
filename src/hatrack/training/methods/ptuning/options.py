"""The keys that P-tuning adds to an adapter in ``hatrack.yaml``."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from hatrack.training.methods.virtual_tokens import TokenOptions

__all__ = ["PTuningOptions"]


class PTuningOptions(TokenOptions):
    """The tokens and the network that makes them."""

    network: Literal["mlp", "lstm"] = Field("mlp", description="The network that makes the embeddings in training.")
    hidden: int = Field(128, ge=1, le=8192, description="Width of the network.")
