"""One tensor of a delta: the smallest of the ways to keep it, and its bytes again."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import torch

from hatrack.models.delta.coding import (
    FLOATS,
    Bytes,
    LowRank,
    decode_difference,
    decode_low_rank,
    encode_difference,
    low_rank,
    pack,
    unpack,
)
from hatrack.models.delta.record import Coding, Part
from hatrack.models.delta.tensor_file import Entry

__all__ = ["Coded", "decode_tensor"]


class Coded:
    """Byte tensors as they come, and the sums that a record reports.

    Attributes:
        parts: what is to be written.
        moved: squared norm of all differences.
        missed: squared norm of what a low rank misses of them.
    """

    def __init__(self, rank_energy: float | None) -> None:
        self.parts: dict[str, Part] = {}
        self.scales: dict[str, float] = {}
        self.bytes_tuned = 0
        self.moved = 0.0
        self.missed = 0.0
        self._energy = rank_energy

    @property
    def relative_error(self) -> float:
        """Norm of what is missed over the norm of all differences."""
        return float(np.sqrt(self.missed / self.moved)) if self.moved else 0.0

    def add(self, key: str, entry: Entry, data: Bytes, base: Bytes | None) -> Coding:
        """Keep the tensor ``data`` under ``key``; ``base`` is one of the same type and shape, None where there is none."""
        self.bytes_tuned += data.nbytes
        if base is None:
            self.parts[f"data/{key}"] = pack(data)
            return "whole"
        if np.array_equal(base, data):
            return "same"
        exact = encode_difference(base, data, entry.width)
        if self._energy is not None and entry.dtype in FLOATS and len(entry.shape) == 2:
            before, after = _as_tensor(base, entry), _as_tensor(data, entry)
            found = low_rank(before, after, self._energy)
            self.moved += float((after.double() - before.double()).square().sum())
            if found is not None and 2 * (found.left.numel() + found.right.numel()) < exact.nbytes:
                restored = decode_low_rank(before, found)
                self.missed += float((after.double() - restored.double()).square().sum())
                self.parts[f"left/{key}"], self.parts[f"right/{key}"] = found.left.numpy(), found.right.numpy()
                self.scales[key] = found.scale
                return "low-rank"
        self.parts[f"data/{key}"] = exact
        return "difference"


def decode_tensor(
    key: str, entry: Entry, coding: Coding, base: Bytes | None, scales: Mapping[str, float], part: Callable[[str], Part]
) -> bytes:
    """The inverse of ``Coded.add``: the bytes of the tensor under ``key``.

    Raises:
        ValueError, LookupError, zlib.error: the parts are damaged, or do not fit this base.
    """
    if coding == "whole":
        return unpack(part(f"data/{key}"))
    if base is None:
        raise LookupError(f"{key}: the base has no such tensor")
    if coding == "same":
        return base.tobytes()
    if coding == "difference":
        return decode_difference(base, part(f"data/{key}"), entry.width)
    factors = LowRank(torch.from_numpy(part(f"left/{key}")), torch.from_numpy(part(f"right/{key}")), scales[key])
    restored = decode_low_rank(_as_tensor(base, entry), factors)
    return restored.contiguous().view(torch.uint8).numpy().tobytes()


def _as_tensor(data: Bytes, entry: Entry) -> torch.Tensor:
    return torch.frombuffer(bytearray(data.tobytes()), dtype=FLOATS[entry.dtype]).reshape(entry.shape)
