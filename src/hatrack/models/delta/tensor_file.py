"""A safetensors file as bytes: where each tensor lies, and the header exactly as it stands.

Layout: eight bytes with the length of the header, the header (JSON), then the tensors' bytes without gaps.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from hatrack.core.errors import ModelCorrupt

__all__ = ["Entry", "TensorFile", "entries", "open_tensors"]

_WIDTHS = {"F64": 8, "I64": 8, "U64": 8, "F32": 4, "I32": 4, "U32": 4, "F16": 2, "BF16": 2, "I16": 2, "U16": 2}


@dataclass(frozen=True)
class Entry:
    """One tensor: its type by safetensors' name, its shape, and its place behind the header."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    start: int
    end: int

    @property
    def width(self) -> int:
        """Bytes of one element; 1 for types that are only ever compared as bytes."""
        return _WIDTHS.get(self.dtype, 1)


@dataclass(frozen=True)
class TensorFile:
    """An open file; nothing is read before it is asked for."""

    path: Path
    header: bytes
    entries: tuple[Entry, ...]

    def data(self, entry: Entry) -> npt.NDArray[np.uint8]:
        """The bytes of one tensor, read now."""
        with self.path.open("rb") as stream:
            stream.seek(len(self.header) + entry.start)
            return np.fromfile(stream, np.uint8, entry.end - entry.start)


def open_tensors(path: Path) -> TensorFile:
    """Read the header of a safetensors file.

    Raises:
        ModelCorrupt: it is none, or its tensors do not lie one behind the other up to the end.
    """
    try:
        with path.open("rb") as stream:
            size = stream.read(8)
            header = size + stream.read(int.from_bytes(size, "little"))
    except (OSError, OverflowError, MemoryError) as error:
        raise _corrupt(path, str(error)) from error
    found = entries(header, str(path))
    if (found[-1].end if found else 0) != path.stat().st_size - len(header):
        raise _corrupt(path, "it is cut short, or longer than its header says")
    return TensorFile(path, header, found)


def entries(header: bytes, where: str) -> tuple[Entry, ...]:
    """The tensors of a header, in the order of their bytes.

    Raises:
        ModelCorrupt: the header is damaged.
    """
    try:
        table = json.loads(header[8:])
        found = sorted(
            (
                Entry(name, str(one["dtype"]), tuple(int(n) for n in one["shape"]), *(int(n) for n in one["data_offsets"]))
                for name, one in table.items()
                if name != "__metadata__"
            ),
            key=lambda entry: (entry.start, entry.end),
        )
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise _corrupt(Path(where), f"header: {error}") from error
    at = 0
    for entry in found:
        if entry.start != at or entry.end < at:
            raise _corrupt(Path(where), f"{entry.name} does not begin where the tensor before it ends")
        at = entry.end
    return tuple(found)


def _corrupt(path: Path, given: str) -> ModelCorrupt:
    return ModelCorrupt(
        f"{path.name} is no whole safetensors file", given=given, allowed="a .safetensors file", fix="write or download it again"
    )
