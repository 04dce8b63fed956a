"""One tensor as its difference to another: exact to the bit, or at a low rank with a known error.

Exact: the bits of both are read as integers, subtracted with wrap-around, folded so that small differences of either sign
are small numbers (zigzag), and split into planes of equal bytes, of which the high ones are nearly all zero; zlib does
the rest. Subtracting integers leaves smaller numbers than XOR, where a carry turns a whole run of bits.

Low rank: the factors of the truncated singular value decomposition, as 16-bit integers with a power of two as scale.
Products of such integers are exact in float64 whatever the order of summation, so every machine decodes the same bits.
"""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

__all__ = ["FLOATS", "Bytes", "LowRank", "decode_difference", "decode_low_rank", "encode_difference", "low_rank", "pack", "unpack"]

Bytes = npt.NDArray[np.uint8]

# safetensors' names of what can be decomposed
FLOATS = {"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}

_LEVEL = 6
_LARGEST = 32767
_SUMMABLE = 1 << 22  # so many products of two 16-bit integers stay below 2**53


def pack(data: Bytes | bytes) -> Bytes:
    """Compressed bytes."""
    return np.frombuffer(zlib.compress(bytes(data), _LEVEL), np.uint8)


def unpack(data: Bytes) -> bytes:
    """The inverse of ``pack``.

    Raises:
        zlib.error: the bytes are damaged.
    """
    return zlib.decompress(data.tobytes())


def encode_difference(base: Bytes, tuned: Bytes, width: int) -> Bytes:
    """``tuned`` from ``base``, both the bytes of tensors of one shape with elements of ``width`` bytes."""
    unsigned, signed, bits = _integers(width)
    difference = (tuned.view(unsigned) - base.view(unsigned)).view(signed)
    folded = ((difference << 1) ^ (difference >> (bits - 1))).view(np.uint8)
    return pack(np.ascontiguousarray(folded.reshape(-1, width).T))


def decode_difference(base: Bytes, coded: Bytes, width: int) -> bytes:
    """The inverse: the very bytes of ``tuned``.

    Raises:
        ValueError, zlib.error: the coded bytes are damaged or of another size.
    """
    unsigned, signed, _ = _integers(width)
    planes = np.frombuffer(unpack(coded), np.uint8).reshape(width, -1)
    folded = np.ascontiguousarray(planes.T).reshape(-1).view(unsigned)
    difference = (folded >> 1).view(signed) ^ -(folded & 1).view(signed)
    restored: Bytes = (base.view(unsigned) + difference.view(unsigned)).view(np.uint8)
    return restored.tobytes()


@dataclass(frozen=True)
class LowRank:
    """``scale · left @ right`` approximates the difference.

    Attributes:
        left, right: 16-bit integers, ``[rows, rank]`` and ``[rank, columns]``.
        scale: a power of two.
    """

    left: torch.Tensor
    right: torch.Tensor
    scale: float


def low_rank(base: torch.Tensor, tuned: torch.Tensor, energy: float) -> LowRank | None:
    """The smallest rank that holds ``energy`` of the difference's squared norm; None where it would save no number.

    Both tensors are ``[rows, columns]`` in a floating-point type.
    """
    difference = tuned.double() - base.double()
    if not bool(torch.isfinite(difference).all()):
        return None
    u, s, v = torch.linalg.svd(difference.float(), full_matrices=False)
    share = s.double().square().cumsum(0)
    rank = int((share < energy * share[-1]).sum()) + 1
    rows, columns = difference.shape
    if rank * (rows + columns) >= rows * columns or rank > _SUMMABLE or float(s[0]) == 0.0:
        return None
    root = s[:rank].sqrt()
    left, left_scale = _integer(u[:, :rank] * root)
    right, right_scale = _integer(root[:, None] * v[:rank])
    return LowRank(left, right, left_scale * right_scale)


def decode_low_rank(base: torch.Tensor, coded: LowRank) -> torch.Tensor:
    """``base`` plus the difference, rounded to the type of ``base``."""
    product = coded.left.double() @ coded.right.double()  # exact, see the module
    return (base.double() + product * coded.scale).to(base.dtype)


def _integer(values: torch.Tensor) -> tuple[torch.Tensor, float]:
    scale = 2.0 ** math.ceil(math.log2(float(values.abs().max()) / _LARGEST))
    return (values.double() / scale).round().to(torch.int16).contiguous(), scale


def _integers(width: int) -> tuple[npt.DTypeLike, npt.DTypeLike, int]:
    return np.dtype(f"u{width}"), np.dtype(f"i{width}"), 8 * width
