"""The base's linear layers, in full precision, in bfloat16 or in 8 bits.

In 8 bits, weights have one scale for each output and inputs one for each row (LLM.int8(), Dettmers et al. 2022, without
its outlier columns). Sums are whole numbers and therefore exact: a row's result is the same, bit for bit, beside any
other rows, which torch's own dynamic quantisation, with one scale for the whole batch, does not give. Inputs take 7 of
their 8 bits, so that processors without VNNI do not overflow and all processors agree.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import torch

from hatrack.serving.kernels import threads
from hatrack.serving.kernels.bytes import TOP, multiply, pack_weights, packed_bytes
from hatrack.serving.kernels.memory import Room
from hatrack.serving.kernels.together import multiply_and_adapt
from hatrack.serving.kernels.vnni import available

__all__ = ["Linear", "Linear8", "Linear16", "Linear32", "LinearBytes", "LinearMaker", "Precision"]

Precision = Literal["int8", "bf16", "fp32"]


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
    """``x W^T`` for rows whose largest magnitude is 1: on any processor, in torch."""

    scaled = True

    def __init__(self, weight: torch.Tensor) -> None:
        if torch.backends.quantized.engine not in ("fbgemm", "x86", "onednn"):
            torch.backends.quantized.engine = "fbgemm"
        quantised, _ = _quantise(weight)
        self._packed: Any = torch.ops.quantized.linear_prepack(quantised, None)

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """``[rows, d_in]`` to ``[rows, d_out]``."""
        out: torch.Tensor = torch.ops.quantized.linear_with_input_q_dq_qweight_dq_output_fp32.default(x, 1 / TOP, TOP + 1, self._packed)
        return out


class LinearBytes:
    """The same numbers, to the bit, where the processor multiplies bytes (``kernels.vnni``): weights are read as one stream."""

    scaled = True

    def __init__(self, weight: torch.Tensor, room: Room) -> None:
        quantised, scale = _quantise(weight)
        self._packed = room.put(pack_weights(quantised.int_repr().numpy()))
        self._factor = np.float32(1 / TOP) * scale.numpy()
        self._workers = int(threads())

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """``[rows, d_in]`` to ``[rows, d_out]``."""
        out = np.empty((len(x), len(self._factor)), np.float32)
        multiply(x.numpy(), self._packed, self._factor, out)
        return torch.from_numpy(out)

    def adapted(self, x: np.ndarray, scale: np.ndarray, bias: np.ndarray, more: np.ndarray, *adapters: np.ndarray) -> np.ndarray:
        """``scale * (W x + B A x) + bias``: see ``kernels.together``."""
        out = np.empty((len(x), len(self._factor)), np.float32)
        multiply_and_adapt(x, scale, self._packed, self._factor, bias, out, more, *adapters, self._workers)
        return out


def _quantise(weight: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Weights in 8 bits and the scale of each output, ``[d_out]`` float32."""
    scale = weight.abs().amax(1).clamp(min=1e-12) / 127
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # torch announces the end of quantised tensors; 2.13 has them
        zeros = torch.zeros(len(weight), dtype=torch.long)
        return torch.quantize_per_channel(weight, scale.double(), zeros, 0, torch.qint8), scale


Linear = Linear32 | Linear16 | Linear8 | LinearBytes


class LinearMaker:
    """Makes linear layers in one precision."""

    def __init__(self, precision: Precision, sizes: Sequence[tuple[int, int]]) -> None:
        """``sizes``: ``(d_in, d_out)`` of all layers that will be made; bytes lie together, in the order in which they are read."""
        self._precision = precision
        self._room = Room(sum(packed_bytes(*size) for size in sizes)) if precision == "int8" and available() else None

    def __call__(self, weight: torch.Tensor) -> Linear:
        """A linear layer that holds ``weight`` ``[d_out, d_in]``."""
        if self._room is not None:
            return LinearBytes(weight, self._room)
        kinds: dict[Precision, type[Linear32 | Linear16 | Linear8]] = {"fp32": Linear32, "bf16": Linear16, "int8": Linear8}
        return kinds[self._precision](weight)
