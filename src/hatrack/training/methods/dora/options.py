"""The keys that DoRA adds to an adapter in ``hatrack.yaml``."""

from __future__ import annotations

from hatrack.training.methods.lora.options import LoraOptions

__all__ = ["DoraOptions"]


class DoraOptions(LoraOptions):
    """Rank-r matrices beside chosen linear layers, and a length for each row of their weights."""
