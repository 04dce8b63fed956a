"""A ready engine from a base model's files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from hatrack.core.lineage import Manifest
from hatrack.models.loading import BaseModelFiles
from hatrack.models.render import ChatRenderer
from hatrack.serving.decoder.shape import read_shape
from hatrack.serving.engine import Engine
from hatrack.serving.residency import Residency
from hatrack.serving.settings import EngineSettings

__all__ = ["build_engine"]


def build_engine(
    files: BaseModelFiles, folder: Callable[[Manifest], Path], settings: EngineSettings, renderer: ChatRenderer
) -> Engine | None:
    """The engine that mixes adapters; None where the base's architecture has no kernels.

    Raises:
        MissingExtra: numba is not installed. ModelCorrupt: the weights cannot be read.
    """
    shape = read_shape(files.config)
    if shape is None:
        return None
    from hatrack.serving.decoder.linear import held_beside
    from hatrack.serving.decoder.model import Decoder
    from hatrack.serving.kv import KVBlocks, block_bytes
    from hatrack.serving.loader import Loader
    from hatrack.serving.slots import AdapterMemory

    half = settings.precision != "fp32"
    blocks = max(4, int(settings.kv_gb * 1e9) // block_bytes(shape, half=half))
    decoder = Decoder(files, shape, settings.precision, settings.context)
    memory = AdapterMemory(shape, settings.slots, settings.rank, held_beside(settings.precision), decoder.fine)
    loader = Loader(memory, Residency(settings.slots), folder, exact=settings.precision == "fp32")
    engine = Engine(decoder, KVBlocks(shape, blocks, half=half), loader, settings, renderer.decode, renderer.stop_ids)
    engine.warm()
    return engine
