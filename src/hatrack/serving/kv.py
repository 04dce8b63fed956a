"""Keys and values in blocks, and which of them can be used again.

A full block is known by the tokens up to its end, under a root made of the adapter's digest and the tenant: what one
adapter or one tenant has computed is out of reach for every other (F24). Blocks that nobody uses stay until their place
is needed, the longest unused first (automatic prefix caching, as in vLLM).
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Sequence

import numpy as np

from hatrack.serving.decoder.shape import DecoderShape
from hatrack.serving.kernels.attention import BLOCK

__all__ = ["Chain", "KVBlocks", "block_bytes", "blocks_for"]


def block_bytes(shape: DecoderShape, *, half: bool = False) -> int:
    """Memory of one block, all layers together; ``half``: in bfloat16."""
    return 2 * (2 if half else 4) * shape.layers * shape.kv_heads * BLOCK * shape.head


def blocks_for(tokens: int) -> int:
    """How many blocks so many tokens take."""
    return -(-tokens // BLOCK)


class Chain:
    """The blocks of one sequence, in order, and the keys of those that are full."""

    def __init__(self, root: bytes, shared: Sequence[int], keys: Sequence[bytes], own: Sequence[int]) -> None:
        self.blocks = [*shared, *own]
        self.shared_tokens = len(shared) * BLOCK
        self.keys = list(keys)
        self._root = root

    def extend_key(self, ids: Sequence[int]) -> bytes:
        """The key of the next full block, which holds ``ids``."""
        key = _key(self.keys[-1] if self.keys else self._root, ids)
        self.keys.append(key)
        return key


class KVBlocks:
    """All blocks of one base. Owned by the engine's thread.

    Attributes:
        keys, values: ``[layers, blocks, kv_heads, BLOCK, head]``, float32, or with ``half`` uint16 with the bits of bfloat16; a
            page of memory is taken when it is first written.
    """

    def __init__(self, shape: DecoderShape, blocks: int, *, half: bool = False) -> None:
        size, kind = (shape.layers, blocks, shape.kv_heads, BLOCK, shape.head), np.uint16 if half else np.float32
        self.half = half
        self.keys, self.values = np.zeros(size, kind), np.zeros(size, kind)
        self.blocks = blocks
        self.hits = self.misses = 0  # tokens
        self._free = list(range(blocks - 1, -1, -1))
        self._users = [0] * blocks
        self._key: dict[int, bytes] = {}
        self._known: dict[bytes, int] = {}
        self._idle: OrderedDict[int, None] = OrderedDict()  # known blocks without a user, longest unused first

    @property
    def available(self) -> int:
        """Blocks that could be given out now."""
        return len(self._free) + len(self._idle)

    def open(self, digest: str, tenant: str, ids: Sequence[int], length: int) -> Chain | None:
        """Blocks for a sequence of ``length`` tokens that begins with ``ids``; None when too few are left.

        What is known of the beginning is shared, all but the last token of ``ids``, whose logits somebody wants.
        """
        root = _key(b"", [], f"{digest}\n{tenant}")
        shared, keys = self._match(root, ids)
        needed = blocks_for(length) - len(shared)
        if needed > self.available - sum(block in self._idle for block in shared):
            return None
        for block in shared:
            self._take(block)
        self.hits += len(shared) * BLOCK
        self.misses += len(ids) - len(shared) * BLOCK
        return Chain(root, shared, keys, [self._new() for _ in range(needed)])

    def filled(self, chain: Chain, ids: Sequence[int]) -> None:
        """Make the full blocks of a sequence known, ``ids`` being all its tokens that were computed."""
        while (len(chain.keys) + 1) * BLOCK <= len(ids):
            number = len(chain.keys)
            key = chain.extend_key(ids[number * BLOCK : (number + 1) * BLOCK])
            block = chain.blocks[number]
            if key not in self._known:  # another sequence may have come first; both are right
                self._known[key] = block
                self._key[block] = key

    def close(self, chain: Chain) -> None:
        """The sequence is over: its blocks may be shared or given out."""
        for block in chain.blocks:
            self._users[block] -= 1
            if self._users[block] == 0:
                if block in self._key:
                    self._idle[block] = None
                else:
                    self._free.append(block)
        chain.blocks = []

    def _match(self, root: bytes, ids: Sequence[int]) -> tuple[list[int], list[bytes]]:
        blocks, keys, key = [], [], root
        for start in range(0, len(ids) - BLOCK, BLOCK):
            key = _key(key, ids[start : start + BLOCK])
            block = self._known.get(key)
            if block is None:
                break
            blocks.append(block)
            keys.append(key)
        return blocks, keys

    def _take(self, block: int) -> None:
        self._idle.pop(block, None)
        self._users[block] += 1

    def _new(self) -> int:
        if self._free:
            block = self._free.pop()
        else:
            block, _ = self._idle.popitem(last=False)
            del self._known[self._key.pop(block)]
        self._users[block] += 1
        return block


def _key(before: bytes, ids: Sequence[int], text: str = "") -> bytes:
    return hashlib.blake2b(before + np.asarray(ids, np.int32).tobytes() + text.encode(), digest_size=32).digest()
