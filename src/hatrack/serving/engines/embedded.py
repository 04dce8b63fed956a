"""The engine ``torch``: in this process, nothing beside it."""

from __future__ import annotations

from hatrack.serving.build import build_engine
from hatrack.serving.engine import Engine
from hatrack.serving.engines.base import EngineParts

__all__ = ["open_torch"]


def open_torch(parts: EngineParts) -> Engine | None:
    """The engine that mixes adapters; None where the base's architecture has no kernels.

    Raises:
        MissingExtra: numba is not installed. ModelCorrupt: the weights cannot be read.
    """
    return build_engine(parts.files, parts.folder, parts.settings, parts.renderer)
