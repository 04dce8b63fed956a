"""Sizes of an engine: the project's ``serve`` section without what belongs to the server."""

from __future__ import annotations

from dataclasses import dataclass, fields

from hatrack.core.config_serve import ServeSettings
from hatrack.serving.decoder.shape import Precision

__all__ = ["EngineSettings"]


@dataclass(frozen=True)
class EngineSettings:
    """How much runs at once; see ``hatrack.core.config_serve`` for what each means."""

    precision: Precision = "int8"
    rows: int = 32
    chunk: int = 64
    slots: int = 32
    rank: int = 16
    context: int = 2048
    kv_gb: float = 1.0
    queue: int = 256
    share: float = 0.75
    patience: float = 2.0

    @classmethod
    def of(cls, serve: ServeSettings) -> EngineSettings:
        """From the config file."""
        return cls(**{field.name: getattr(serve, field.name) for field in fields(cls)})
