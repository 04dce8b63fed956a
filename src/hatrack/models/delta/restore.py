"""The tuned model's files from the base and the byte tensors of a delta."""

from __future__ import annotations

import shutil
import zlib
from collections.abc import Callable
from pathlib import Path

import torch

from hatrack.models.delta.coding import FLOATS, LowRank, decode_difference, decode_low_rank, unpack
from hatrack.models.delta.encode import as_tensor, base_tensors
from hatrack.models.delta.record import Delta, Part
from hatrack.models.delta.tensor_file import Entry, TensorFile, entries
from hatrack.models.loading import BaseModelFiles

__all__ = ["restore_model"]


def restore_model(base: BaseModelFiles, delta: Delta, part: Callable[[str], Part], folder: Path) -> None:
    """Write every file of the tuned model into ``folder``; one tensor is in memory at a time.

    Raises:
        ValueError, LookupError: the delta does not fit together, or not to this base. Nothing is checked by digest here.
    """
    known = base_tensors(base)
    try:
        for name, codings in delta.tensors.items():
            header = unpack(part(f"header/{name}"))
            with (folder / name).open("wb") as stream:
                stream.write(header)
                for entry in entries(header, name):
                    stream.write(_bytes(f"{name}/{entry.name}", entry, codings[entry.name], known, delta, part))
        for name in delta.files:
            if name in delta.plain:
                (folder / name).write_bytes(unpack(part(f"plain/{name}")))
            elif name not in delta.tensors:
                shutil.copyfile(base.folder / name, folder / name)
    except (zlib.error, FileNotFoundError) as error:
        raise ValueError(f"{name}: {error}") from error


def _bytes(
    key: str, entry: Entry, coding: str, known: dict[str, tuple[TensorFile, Entry]], delta: Delta, part: Callable[[str], Part]
) -> bytes:
    if coding == "whole":
        return unpack(part(f"data/{key}"))
    file, own = known[entry.name]
    base = file.data(own)
    if coding == "same":
        return base.tobytes()
    if coding == "difference":
        return decode_difference(base, part(f"data/{key}"), entry.width)
    factors = LowRank(torch.from_numpy(part(f"left/{key}")), torch.from_numpy(part(f"right/{key}")), delta.scales[key])
    restored = decode_low_rank(as_tensor(base, entry), factors)
    return restored.to(FLOATS[entry.dtype]).contiguous().view(torch.uint8).numpy().tobytes()
