"""The keys that QLoRA adds to an adapter in ``hatrack.yaml``."""

from __future__ import annotations

from hatrack.training.methods.lora.options import LoraOptions

__all__ = ["QloraOptions"]


class QloraOptions(LoraOptions):
    """Rank-r matrices beside chosen linear layers of a base in 4 bits."""
