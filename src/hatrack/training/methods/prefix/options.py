"""The keys that prefix tuning adds to an adapter in ``hatrack.yaml``."""

from __future__ import annotations

from hatrack.training.methods.virtual_tokens import TokenOptions

__all__ = ["PrefixOptions"]


class PrefixOptions(TokenOptions):
    """How many keys and values stand before a text, in every layer."""
