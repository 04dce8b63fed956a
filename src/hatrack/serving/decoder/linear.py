"""The base's linear layers, in full precision, in bfloat16 or in 8 bits.

In 8 bits, weights have one scale for each output and inputs one for each row (LLM.int8(), Dettmers et al. 2022, without
its outlier columns). Sums are whole numbers and therefore exact: a row's result is the same, bit for bit, beside any
other rows, which torch's own dynamic quantisation, with one scale for the whole batch, does not give. Inputs take 7 of
their 8 bits, so that processors without VNNI do not overflow and all processors agree.
"""

from __future__ import annotations

import warnings
from typing import Any, Literal

import torch

__all__ = ["Linear", "Linear8", "Linear16", "Linear32", "Precision", "make_linear"]

Precision = Literal["int8", "bf16", "fp32"]
_TOP = 63  # largest magnitude of a quantised input


class Linear32:
    """``x W^T``."""

    scaled = False

    def __init__(self, weight: torch.Tensor) -> None:
        self._weight = weight

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """``[rows, d_in]`` to ``[rows, d_out]``."""
        return torch.nn.functional.linear(x, self._weight)


class Linear16:
    """``x W^T`` in bfloat16: half the memory of full precision; fast only where the processor multiplies in it."""

    scaled = False

    def __init__(self, weight: torch.Tensor) -> None:
        self._weight = weight.bfloat16()

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """``[rows, d_in]`` to ``[rows, d_out]``, both in float32."""
        return torch.nn.functional.linear(x.bfloat16(), self._weight).float()


class Linear8:
    """``x W^T`` for rows whose largest magnitude is 1."""

    scaled = True

    def __init__(self, weight: torch.Tensor) -> None:
        if torch.backends.quantized.engine not in ("fbgemm", "x86", "onednn"):
            torch.backends.quantized.engine = "fbgemm"
        scale = weight.abs().amax(1).clamp(min=1e-12) / 127
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # torch announces the end of quantised tensors; 2.13 has them
            quantised = torch.quantize_per_channel(weight, scale.double(), torch.zeros(len(weight), dtype=torch.long), 0, torch.qint8)
            self._packed: Any = torch.ops.quantized.linear_prepack(quantised, None)

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """``[rows, d_in]`` to ``[rows, d_out]``."""
        out: torch.Tensor = torch.ops.quantized.linear_with_input_q_dq_qweight_dq_output_fp32.default(x, 1 / _TOP, _TOP + 1, self._packed)
        return out


Linear = Linear32 | Linear16 | Linear8
_KINDS: dict[Precision, type[Linear]] = {"fp32": Linear32, "bf16": Linear16, "int8": Linear8}


def make_linear(weight: torch.Tensor, precision: Precision) -> Linear:
    """A linear layer that holds ``weight`` ``[d_out, d_in]`` in ``precision``."""
    return _KINDS[precision](weight)
