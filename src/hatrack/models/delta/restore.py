"""The tuned model's files from the base and the byte tensors of a delta."""

from __future__ import annotations

import shutil
import zlib
from collections.abc import Callable
from pathlib import Path

from hatrack.models.delta.coding import unpack
from hatrack.models.delta.encode import base_tensors, like
from hatrack.models.delta.record import Delta, Part
from hatrack.models.delta.tensor_file import entries
from hatrack.models.delta.tensors import decode_tensor
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
                    key = f"{name}/{entry.name}"
                    stream.write(decode_tensor(key, entry, codings[entry.name], like(entry, known), delta.scales, part))
        for name in delta.files:
            if name in delta.plain:
                (folder / name).write_bytes(unpack(part(f"plain/{name}")))
            elif name not in delta.tensors:
                shutil.copyfile(base.folder / name, folder / name)
    except (zlib.error, FileNotFoundError) as error:
        raise ValueError(f"{name}: {error}") from error
