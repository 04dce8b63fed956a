"""Which columns of the base's linear layers matter most: how large their inputs are on sequences of random tokens.

The largest inputs of attention and of gates lie in columns that belong to the base: random tokens show those that texts show. Those
of the other two layers move with the text, and random tokens show what is large on the average. Blocks are gone through while their
weights are at hand in full precision.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from hatrack.serving.decoder.block import NOTHING, Block, BlockPass, Tokens
from hatrack.serving.decoder.linear import AdapterRoom, Linear32
from hatrack.serving.decoder.shape import TARGETS, DecoderShape
from hatrack.serving.kernels.attention import BLOCK
from hatrack.serving.kernels.norm import add_norm

__all__ = ["Calibration"]

_SEQUENCES, _LENGTH = 4, 2 * BLOCK
_SLOTS = 1  # the base


class Calibration:
    """A few sequences on their way through the base."""

    def __init__(self, shape: DecoderShape, embedding: np.ndarray, turns: tuple[np.ndarray, np.ndarray]) -> None:
        """``embedding``: ``[vocabulary, width]``. ``turns``: cosines and sines of all positions."""
        length = min(_LENGTH, len(turns[0]))
        ids = np.random.default_rng(0).integers(0, len(embedding), _SEQUENCES * length, dtype=np.int32)
        position, row = np.tile(np.arange(length, dtype=np.int32), _SEQUENCES), np.repeat(np.arange(_SEQUENCES, dtype=np.int32), length)
        blocks = -(-length // BLOCK)
        table = np.arange(_SEQUENCES * blocks, dtype=np.int32).reshape(_SEQUENCES, blocks)
        tokens = Tokens(ids, position, row, np.zeros(len(ids), np.int32), table, np.empty(0, np.int64))
        self._shape = shape
        self._through = BlockPass(shape, tokens, turns)
        self._x, self._y = embedding[ids], NOTHING
        size = (table.size, shape.kv_heads, BLOCK, shape.head)
        self._kv = np.zeros(size, np.uint16), np.zeros(size, np.uint16)  # in bfloat16, as beside a base in 8 bits
        none = np.zeros((_SLOTS, len(TARGETS)), np.int64)
        self._adapters = np.zeros((_SLOTS, 1), np.uint8), none, none.astype(np.int32)

    def through(self, block: Block[Linear32]) -> tuple[torch.Tensor, ...]:
        """Go through the next block; returns the mean square of each input of its linear layers, in ``Block.linears``' order."""
        seen = [_Seen(linear.weight) for linear in block.linears()]
        qkv, o, gate_up, down = seen
        watched = replace(block, qkv=qkv, o=o, gate_up=gate_up, down=down)
        self._y = self._through.run(watched, self._x, self._y, self._kv, self._adapters)
        return tuple(linear.energy for linear in seen)

    def end(self, norm: np.ndarray) -> torch.Tensor:
        """The same for the head, behind the last norm."""
        h = np.empty_like(self._x)
        add_norm(self._x, self._y, norm, self._shape.eps, h)
        return torch.from_numpy(h).square().mean(0)


class _Seen(Linear32):
    """A linear layer that keeps how large its inputs were."""

    energy: torch.Tensor

    def adapted(self, x: np.ndarray, bias: np.ndarray, room: AdapterRoom, *adapters: np.ndarray) -> np.ndarray:
        """Of the base alone."""
        rows = torch.from_numpy(x)
        self.energy = rows.square().mean(0)
        y = self(rows).numpy()
        return y + bias if len(bias) else y
