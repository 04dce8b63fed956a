"""The keys that prompt tuning adds to an adapter in ``hatrack.yaml``."""

from __future__ import annotations

from hatrack.training.methods.virtual_tokens import TokenOptions

__all__ = ["PromptOptions"]


class PromptOptions(TokenOptions):
    """How many embeddings stand before a text."""
