"""Full fine-tuning adds no key to an adapter in ``hatrack.yaml``."""

from __future__ import annotations

from hatrack.core.strict import Strict

__all__ = ["FullOptions"]


class FullOptions(Strict):
    """Nothing to choose."""
