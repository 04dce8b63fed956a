"""The base's linear layers, in full precision, in bfloat16 or in 8 bits.

In 8 bits, weights have one scale for each output and inputs one for each row, whose six largest numbers are kept apart: what
LLM.int8() (Dettmers et al. 2022) does with columns. Of the eight columns that matter most, what 8 bits leave of the weights is
held too. Without both, a small base loses much (docs/engines.md). Sums are whole numbers and therefore exact: a row's result
is the same, bit for bit, beside any other rows, which torch's own dynamic quantisation, with one scale for the whole batch, does
not give. Where the processor multiplies bytes, inputs have 8 bits and the six 15; elsewhere torch multiplies, inputs have 7
bits, so that its sums do not overflow, and the six are float32.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch

from hatrack.serving.decoder.shape import Precision
from hatrack.serving.kernels import threads
from hatrack.serving.kernels.adapters import adapt
from hatrack.serving.kernels.bytes import multiply, pack_fine, pack_weights, packed_bytes
from hatrack.serving.kernels.memory import Room
from hatrack.serving.kernels.panels import FINER
from hatrack.serving.kernels.together import multiply_and_adapt, multiply_then_adapt
from hatrack.serving.kernels.vnni import FINE, OUTLIERS, available

__all__ = ["AdapterRoom", "Linear", "Linear8", "Linear16", "Linear32", "LinearBytes", "LinearMaker", "held_beside"]

_TOP = 63  # largest magnitude of an input where torch multiplies


@dataclass(frozen=True)
class AdapterRoom:
    """What adapters of a step need.

    Attributes:
        more: ``[tokens * d_out]`` or more, for what they add.
        crowds: whether neighbours mostly have the same adapter, as a prompt's tokens have.
    """

    more: np.ndarray
    crowds: bool


class Linear(Protocol):
    """A linear layer of the base."""

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """``W x``: ``[rows, d_in]`` to ``[rows, d_out]``, float32."""
        ...

    def adapted(self, x: np.ndarray, bias: np.ndarray, room: AdapterRoom, *adapters: np.ndarray) -> np.ndarray:
        """``W x + B A x + bias``; ``adapters`` as in ``kernels.adapters.adapt``."""
        ...


class _Apart:
    """Adapters are added to what the product made."""

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        raise NotImplementedError

    def adapted(self, x: np.ndarray, bias: np.ndarray, room: AdapterRoom, *adapters: np.ndarray) -> np.ndarray:
        """See ``Linear``."""
        y = self(torch.from_numpy(x)).numpy()
        adapt(x, y, bias, *adapters)
        return y


class Linear32(_Apart):
    """In full precision."""

    def __init__(self, weight: torch.Tensor) -> None:
        self.weight = weight

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """See ``Linear``."""
        return torch.nn.functional.linear(x, self.weight)


class Linear16(_Apart):
    """In bfloat16: half the memory of full precision; fast only where the processor multiplies in it."""

    def __init__(self, weight: torch.Tensor) -> None:
        self._weight = weight.bfloat16()

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """See ``Linear``."""
        return torch.nn.functional.linear(x.bfloat16(), self._weight).float()


class Linear8(_Apart):
    """In 8 bits on any processor, in torch."""

    def __init__(self, weight: torch.Tensor, energy: torch.Tensor) -> None:
        if torch.backends.quantized.engine not in ("fbgemm", "x86", "onednn"):
            torch.backends.quantized.engine = "fbgemm"
        held = _Bytes(weight, energy)
        self._packed: Any = torch.ops.quantized.linear_prepack(held.weight, None)
        self._scale, self._fine, self._rest = held.scale, held.fine.tolist(), held.rest.T.contiguous()
        self._columns = held.weight.int_repr().T.contiguous()
        self._outliers = min(OUTLIERS, weight.shape[1] - 1)

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """See ``Linear``. What is added is added in one order: a row's sum does not depend on the rows beside it."""
        largest = x.abs().topk(self._outliers + 1, dim=1)
        step, places = largest.values[:, -1:].clamp(min=1e-30), largest.indices[:, :-1]
        numbers, rest = x.gather(1, places), x.scatter(1, places, 0.0) / step
        multiply_rest = torch.ops.quantized.linear_with_input_q_dq_qweight_dq_output_fp32.default
        out: torch.Tensor = multiply_rest(rest, 1 / _TOP, _TOP + 1, self._packed)
        out *= step
        for n in range(self._outliers):
            out += numbers[:, n : n + 1] * self._scale * self._columns[places[:, n]]
        for column, weights in zip(self._fine, self._rest, strict=True):
            out += x[:, column : column + 1] * weights
        return out


class LinearBytes:
    """In 8 bits where the processor multiplies bytes (``kernels.vnni``): weights are read as one stream."""

    def __init__(self, weight: torch.Tensor, energy: torch.Tensor, room: Room) -> None:
        held = _Bytes(weight, energy)
        self._weights = (
            room.put(pack_weights(held.weight.int_repr().numpy())),
            pack_fine((held.rest / held.scale[:, None] * FINER).round().to(torch.int8).numpy()),
            held.fine.numpy(),
            held.scale.numpy(),
        )
        self.fine: np.ndarray = held.fine.numpy()
        self._workers = int(threads())

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """See ``Linear``."""
        out = np.empty((len(x), len(self._weights[-1])), np.float32)
        multiply(x.numpy(), *self._weights, out)
        return torch.from_numpy(out)

    def adapted(self, x: np.ndarray, bias: np.ndarray, room: AdapterRoom, *adapters: np.ndarray) -> np.ndarray:
        """See ``Linear``."""
        out = np.empty((len(x), len(self._weights[-1])), np.float32)
        compute = multiply_then_adapt if room.crowds else multiply_and_adapt
        compute(x, *self._weights, bias, out, room.more, *adapters, self._workers)
        return out


class _Bytes:
    """A weight in 8 bits.

    Attributes:
        weight: whole numbers; scale: of each output, ``[d_out]`` float32.
        fine: ``[FINE]``, the columns that lose most where ``energy`` is the mean square of their inputs; rest: ``[d_out, FINE]``,
            what 8 bits leave of them. Layers with less columns name the first one again, of which then nothing is left.
    """

    def __init__(self, weight: torch.Tensor, energy: torch.Tensor) -> None:
        self.scale = weight.abs().amax(1).clamp(min=1e-12) / 127
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # torch announces the end of quantised tensors; 2.13 has them
            zeros = torch.zeros(len(weight), dtype=torch.long)
            self.weight = torch.quantize_per_channel(weight, self.scale.double(), zeros, 0, torch.qint8)
        lost = weight - self.weight.int_repr() * self.scale[:, None]
        columns = (lost.square().sum(0) * energy).topk(min(FINE, weight.shape[1])).indices
        self.fine, self.rest = torch.zeros(FINE, dtype=torch.long), torch.zeros(len(weight), FINE)
        self.fine[: len(columns)], self.rest[:, : len(columns)] = columns, lost[:, columns]


def held_beside(precision: Precision) -> Precision:
    """How adapters are held beside a base in this precision."""
    if precision == "int8":
        return "int8" if available() else "bf16"
    return precision


class LinearMaker:
    """Makes linear layers in one precision."""

    def __init__(self, precision: Precision, sizes: Sequence[tuple[int, int]]) -> None:
        """``sizes``: ``(d_in, d_out)`` of all layers that will be made; bytes lie together, in the order in which they are read."""
        self._precision = precision
        self._room = Room(sum(packed_bytes(*size) for size in sizes)) if precision == "int8" and available() else None

    def __call__(self, weight: torch.Tensor, energy: torch.Tensor | None = None) -> Linear:
        """A linear layer that holds ``weight`` ``[d_out, d_in]``; ``energy``: the mean square of its inputs, ``[d_in]``, for 8 bits."""
        if self._precision != "int8":
            return Linear32(weight) if self._precision == "fp32" else Linear16(weight)
        energy = torch.ones(weight.shape[1]) if energy is None else energy
        return Linear8(weight, energy) if self._room is None else LinearBytes(weight, energy, self._room)
