"""How many bits a number takes in a GGUF file that is written here.

The package ``gguf`` rounds to the formats below; the K formats (Q4_K and the like) it can only read. They are made from
an F16 file by llama.cpp's own ``llama-quantize``.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from hatrack.core.errors import ConfigError

__all__ = ["FULL", "PRECISIONS", "check_precision", "rounded"]

PRECISIONS = ("F32", "F16", "BF16", "Q8_0", "Q5_1", "Q5_0", "Q4_1", "Q4_0")
FULL = ("F32", "F16", "BF16")
_COARSE = ("Q5_1", "Q5_0", "Q4_1", "Q4_0")
# Rows that are looked up, and those that choose the next token, lose more by rounding than they cost in size.
_FINER = ("token_embd.weight", "output.weight")


def check_precision(name: str) -> str:
    """The name in capitals.

    Raises:
        ConfigError: nothing here writes it.
    """
    found = name.upper()
    if found not in PRECISIONS:
        later = "K" in found or found.startswith("IQ")
        raise ConfigError(
            "this precision cannot be written here",
            given=name,
            allowed=", ".join(PRECISIONS),
            fix="export F16, and round that with llama.cpp's own llama-quantize" if later else "see `hatrack export --help`",
        )
    return found


def rounded(name: str, tensor: np.ndarray, precision: str) -> tuple[np.ndarray, Any]:
    """A tensor as it is stored, and its type: vectors stay in 32 bits, rows that do not divide into blocks in 16."""
    import gguf
    from gguf.quants import quantize

    kind: Any = gguf.GGMLQuantizationType
    wanted = kind.F32 if tensor.ndim < 2 else kind[precision]
    if precision in _COARSE and name in _FINER:
        wanted = kind.Q8_0
    if tensor.shape[-1] % gguf.GGML_QUANT_SIZES[wanted][0]:
        wanted = kind.F16
    return quantize(np.ascontiguousarray(tensor, dtype=np.float32), wanted), wanted
