"""One block of the decoder: attention and feed-forward, each with its adapters.

hidden ─► norm ─► q k v + adapters ─► store; attend over KV blocks ─► o + adapter ─► add
add ─► norm ─► gate, up + adapters ─► SwiGLU ─► down + adapter ─► add ─► hidden
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np

from hatrack.serving.decoder.linear import AdapterRoom, Linear
from hatrack.serving.decoder.shape import DecoderShape
from hatrack.serving.kernels.activation import gated
from hatrack.serving.kernels.attention import attend, store
from hatrack.serving.kernels.norm import add_norm

__all__ = ["NOTHING", "NO_BIAS", "Block", "BlockPass", "Tokens"]

NOTHING = np.empty((0, 0), np.float32)
NO_BIAS = np.empty(0, np.float32)
_GROUPS = ((0, 1, 2), (3,), (4, 5), (6,))  # numbers among TARGETS that read the same input


@dataclass(frozen=True)
class Tokens:
    """The tokens of one step.

    Attributes:
        ids, position, row, slot: ``[tokens]`` int32: token, place in its sequence, row of ``table``, adapter.
        table: ``[sequences, blocks]`` int32: where each sequence's keys and values lie.
        wanted: which tokens' logits are needed.
    """

    ids: np.ndarray
    position: np.ndarray
    row: np.ndarray
    slot: np.ndarray
    table: np.ndarray
    wanted: np.ndarray


_Kind = TypeVar("_Kind", bound=Linear, covariant=True)


@dataclass(frozen=True)
class Block(Generic[_Kind]):
    """Its weights; ``qkv_bias`` may be empty."""

    norm1: np.ndarray
    qkv: _Kind
    qkv_bias: np.ndarray
    o: _Kind
    norm2: np.ndarray
    gate_up: _Kind
    down: _Kind

    def linears(self) -> tuple[_Kind, _Kind, _Kind, _Kind]:
        """In the order in which they are read."""
        return self.qkv, self.o, self.gate_up, self.down


class BlockPass:
    """What all blocks share while one step goes through them."""

    def __init__(self, shape: DecoderShape, tokens: Tokens, turns: tuple[np.ndarray, np.ndarray]) -> None:
        """``turns``: cosines and sines of all positions."""
        n = len(tokens.ids)
        widths = [width for _, width in shape.sizes]
        self._groups = [(np.array(group), np.cumsum([0, *(widths[number] for number in group)])) for group in _GROUPS]
        self._shape, self._slot = shape, tokens.slot
        self._place = (tokens.position, tokens.row, tokens.table, *turns)
        self._h, self._at = np.empty((n, shape.width), np.float32), np.empty((n, shape.heads * shape.head), np.float32)
        self._inner = np.empty((n, shape.inner), np.float32)
        more = np.empty(n * max(int(start[-1]) for _, start in self._groups), np.float32)
        runs = 1 + np.count_nonzero(np.diff(tokens.slot))
        self._room = AdapterRoom(more, crowds=bool(4 * runs <= n))

    def run(
        self,
        block: Block[Linear],
        x: np.ndarray,
        y: np.ndarray,
        kv: tuple[np.ndarray, np.ndarray],
        adapters: tuple[np.ndarray, np.ndarray, np.ndarray],
    ) -> np.ndarray:
        """Add ``y``, what the last block left to be added, and attention's part to ``x``; returns what is left to be added now.

        Args:
            x: the residual stream ``[tokens, width]``. kv: keys and values of this layer. adapters: the arena, and offset and rank
                of this layer.
        """
        qkv_group, o_group, gate_group, down_group = self._groups
        arena, eps, heads = (*adapters, self._slot), self._shape.eps, self._shape.heads
        add_norm(x, y, block.norm1, eps, self._h)
        qkv = block.qkv.adapted(self._h, block.qkv_bias, self._room, *arena, *qkv_group)
        store(qkv, *self._place, *kv, heads)
        attend(qkv, *self._place, *kv, heads, self._at)
        y = block.o.adapted(self._at, NO_BIAS, self._room, *arena, *o_group)
        add_norm(x, y, block.norm2, eps, self._h)
        gated(block.gate_up.adapted(self._h, NO_BIAS, self._room, *arena, *gate_group), self._inner)
        return block.down.adapted(self._inner, NO_BIAS, self._room, *arena, *down_group)
