"""Low-rank adapters in memory: packed into the rows of one arena, from which every token takes its own.

A row's pages are taken when an adapter is first written there, and an adapter takes only its own size; changing the
adapter in a row is one copy. Beside a base in 8 bits adapters are in 8 bits too, or in bfloat16 where the processor has no
products of bytes: each token reads all of its own adapter, so sixteen tokens of as many adapters wait for memory.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hatrack.core.errors import AdapterBroken
from hatrack.models.adapters.folder import WEIGHTS, read_json
from hatrack.models.adapters.lora import PREFIX, LoraWeights, read_lora
from hatrack.serving.decoder.shape import TARGETS, DecoderShape, Precision
from hatrack.serving.kernels.adapters import pack, packed_size
from hatrack.serving.kernels.byte_adapters import pack_pair, pair_bytes
from hatrack.serving.kernels.halve import halve
from hatrack.serving.kernels.memory import enlarge, zeros
from hatrack.serving.kernels.vnni import FINE

__all__ = ["AdapterMemory", "PackedLora", "mixes", "pack_lora"]


@dataclass(frozen=True)
class PackedLora:
    """A LoRA whose every pair of matrices has its place.

    Attributes:
        pairs: layer, number among ``TARGETS``, ``A [rank, d_in]`` and ``B [d_out, rank]``, both float32.
    """

    pairs: tuple[tuple[int, int, np.ndarray, np.ndarray], ...]


class AdapterMemory:
    """The arena. Row 0 is the base and stays empty (F33).

    Attributes:
        arena: ``[slots + 1, numbers]``: float32, uint16 with the bits of bfloat16, or bytes (``kernels.byte_adapters``).
        offset, rank: ``[slots + 1, layers, targets]``.
    """

    def __init__(self, shape: DecoderShape, slots: int, rank: int, held: Precision = "fp32", fine: np.ndarray | None = None) -> None:
        """``held``: how adapters lie there; ``fine``: the base's fine columns, ``[layers, targets, FINE]``, for 8 bits."""
        self.shape = shape
        self._held = held
        self._fine = np.zeros((shape.layers, len(TARGETS), FINE), np.int64) if fine is None else fine
        kinds: dict[Precision, type[np.generic]] = {"fp32": np.float32, "bf16": np.uint16, "int8": np.uint8}
        self.arena = zeros((slots + 1, max(1, shape.layers * sum(self.size(*size, rank) for size in shape.sizes))), kinds[held])
        self.offset = np.zeros((slots + 1, shape.layers, len(TARGETS)), np.int64)
        self.rank = np.zeros((slots + 1, shape.layers, len(TARGETS)), np.int32)
        self._settled: set[int] = set()

    def fits(self, packed: PackedLora) -> bool:
        """Whether a row is long enough for it."""
        return bool(sum(self.size(a.shape[1], len(b), len(a)) for _, _, a, b in packed.pairs) <= self.arena.shape[1])

    def size(self, d_in: int, d_out: int, rank: int) -> int:
        """Numbers that a pair of matrices takes in a row."""
        return int((pair_bytes if self._held == "int8" else packed_size)(d_in, d_out, rank))

    def write(self, slot: int, packed: PackedLora) -> None:
        """Put an adapter into a row that no running sequence uses."""
        self.rank[slot] = 0
        row, end = self.arena[slot], 0
        for layer, target, a, b in packed.pairs:
            self.offset[slot, layer, target] = end
            place = row[end : end + self.size(a.shape[1], len(b), len(a))]
            if self._held == "int8":
                pack_pair(np.ascontiguousarray(a), np.ascontiguousarray(b), self._fine[layer, target], place)
            elif self._held == "bf16":
                halve(pack(a, b, in_turns=True), place)
            else:
                place[:] = pack(a, b)
            end += len(place)
        for layer, target, a, _ in packed.pairs:
            self.rank[slot, layer, target] = len(a)

    def settle(self, slot: int) -> None:
        """What can wait until the adapter answers: a row that was written for the first time is read faster afterwards."""
        if slot not in self._settled:
            self._settled.add(slot)
            enlarge(self.arena[slot], self.arena)


def pack_lora(folder: Path, shape: DecoderShape) -> PackedLora | None:
    """Read and pack the LoRA in ``folder``; None when it changes something that the kernels do not mix.

    Raises:
        AdapterBroken: damaged files, or matrices that do not fit the base.
    """
    weights = read_lora(folder)
    places = {f"model.layers.{layer}.{name}": (layer, n) for layer in range(shape.layers) for n, name in enumerate(TARGETS)}
    if weights.magnitudes or not weights.layers.keys() <= places.keys():
        return None
    return _pack(weights, places, shape)


def mixes(folder: Path, memory: AdapterMemory) -> bool:
    """Whether the kernels can run the adapter in ``folder`` beside others; reads its config and no weights.

    What was trained without a rank on some layers simply leaves them out; what needs more than a low-rank pair for a layer
    (DoRA's magnitudes, biases, virtual tokens), or adapts other layers, does not mix.
    """
    from safetensors import safe_open

    if read_json(folder).get("peft_type") != "LORA":
        return False
    found: dict[str, dict[str, list[int]]] = defaultdict(dict)
    with safe_open(str(folder / WEIGHTS), framework="np") as file:
        for key in file.keys():  # noqa: SIM118  # not a dict
            path, _, part = key.removeprefix(PREFIX).rpartition(".lora_")
            if part not in ("A.weight", "B.weight") or not path.endswith(TARGETS):
                return False
            found[path][part] = file.get_slice(key).get_shape()
    pairs = [(pair["A.weight"], pair["B.weight"]) for pair in found.values() if len(pair) == 2]  # half a pair is refused when it is read
    return bool(sum(memory.size(a[1], b[0], a[0]) for a, b in pairs) <= memory.arena.shape[1])


def _pack(weights: LoraWeights, places: dict[str, tuple[int, int]], shape: DecoderShape) -> PackedLora:
    pairs = []
    for path, (a, b) in weights.layers.items():
        layer, target = places[path]
        if (a.shape[1], b.shape[0]) != shape.sizes[target]:
            raise AdapterBroken(
                "the adapter's matrices do not fit the base",
                given=f"{path}: {b.shape[0]}x{a.shape[1]}",
                allowed="{1}x{0}".format(*shape.sizes[target]),
                fix="use the base it was trained on",
            )
        pairs.append((layer, target, a.numpy(), b.numpy()))
    return PackedLora(tuple(pairs))
