"""A Llama-like decoder: for each token its own place, its own sequence and its own adapter.

    hidden ─► norm ─► q k v + adapters ─► store; attend over KV blocks ─► o + adapter ─► add
       add ─► norm ─► gate, up + adapters ─► SwiGLU ─► down + adapter ─► add ─► hidden

The base's linear layers are one matrix product for all tokens; everything else is a compiled loop (``kernels``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from safetensors import safe_open

from hatrack.core.errors import ModelCorrupt
from hatrack.models.loading import BaseModelFiles
from hatrack.serving.decoder.linear import Linear, LinearBytes, LinearMaker, Precision
from hatrack.serving.decoder.rotary import rotary_table
from hatrack.serving.decoder.shape import TARGETS, DecoderShape
from hatrack.serving.kernels.activation import gated
from hatrack.serving.kernels.adapters import adapt
from hatrack.serving.kernels.attention import attend, store
from hatrack.serving.kernels.norm import add_norm, scale_rows
from hatrack.serving.kv import KVBlocks
from hatrack.serving.slots import AdapterMemory

__all__ = ["Decoder", "Tokens"]

_NOTHING = np.empty((0, 0), np.float32)
_NO_BIAS = np.empty(0, np.float32)


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


@dataclass(frozen=True)
class _Group:
    """Adapted layers that read the same input: their numbers among ``TARGETS``, and where each writes."""

    target: np.ndarray
    start: np.ndarray


@dataclass(frozen=True)
class _Layer:
    norm1: np.ndarray
    qkv: Linear
    qkv_bias: np.ndarray
    o: Linear
    norm2: np.ndarray
    gate_up: Linear
    down: Linear


class Decoder:
    """The base's weights and one method: a step."""

    def __init__(self, files: BaseModelFiles, shape: DecoderShape, precision: Precision, positions: int) -> None:
        """Read the weights; ``positions`` is the longest sequence.

        Raises:
            ModelCorrupt: a weight is missing or of another shape.
        """
        self.shape = shape
        self.precision = precision
        self._cos, self._sin = rotary_table(files, shape.head, positions)
        weights = _Weights(files)
        self._embedding = weights.array("model.embed_tokens.weight")
        q, k, v, o, gate, up, down = shape.sizes
        block = [(q[0], q[1] + k[1] + v[1]), o, (gate[0], gate[1] + up[1]), down]
        make = LinearMaker(precision, [*block * shape.layers, (shape.width, shape.vocabulary)])
        self._layers = [self._layer(weights, f"model.layers.{i}.", make) for i in range(shape.layers)]
        self._norm = weights.array("model.norm.weight")
        head = weights.get("lm_head.weight") if weights.has("lm_head.weight") else weights.get("model.embed_tokens.weight")
        self._head = make(head)
        self._widest = max(size[1] for size in block)
        self._groups = [self._group(*numbers) for numbers in ((0, 1, 2), (3,), (4, 5), (6,))]

    @torch.inference_mode()
    def step(self, tokens: Tokens, kv: KVBlocks, adapters: AdapterMemory) -> torch.Tensor:
        """Write the tokens' keys and values, and return the logits after the wanted ones: ``[wanted, vocabulary]``."""
        shape, n = self.shape, len(tokens.ids)
        scaled = self.precision == "int8"
        x = self._embedding[tokens.ids]
        y = _NOTHING
        h, scale = np.empty((n, shape.width), np.float32), np.empty(n, np.float32)
        at, inner = np.empty((n, shape.heads * shape.head), np.float32), np.empty((n, shape.inner), np.float32)
        ones, more = np.ones(n, np.float32), np.empty((n, self._widest), np.float32)
        place = (tokens.position, tokens.row, tokens.table, self._cos, self._sin)
        qkv_group, o_group, gate_group, down_group = self._groups
        for number, layer in enumerate(self._layers):
            keys, values = kv.keys[number], kv.values[number]
            arena = (adapters.arena, adapters.offset[:, number], adapters.rank[:, number], tokens.slot)
            add_norm(x, y, layer.norm1, shape.eps, h, scale, scaled)
            qkv = _adapted(layer.qkv, h, scale, layer.qkv_bias, more, *arena, qkv_group.target, qkv_group.start)
            store(qkv, *place, keys, values, shape.heads)
            attend(qkv, *place, keys, values, shape.heads, at)
            scale_o = ones
            if scaled:
                scale_o = scale
                scale_rows(at, scale_o)
            y = _adapted(layer.o, at, scale_o, _NO_BIAS, more, *arena, o_group.target, o_group.start)
            add_norm(x, y, layer.norm2, shape.eps, h, scale, scaled)
            gate_up = _adapted(layer.gate_up, h, scale, _NO_BIAS, more, *arena, gate_group.target, gate_group.start)
            gated(gate_up, inner, scale, scaled)
            y = _adapted(layer.down, inner, scale, _NO_BIAS, more, *arena, down_group.target, down_group.start)
        rows = tokens.wanted
        if not len(rows):
            return torch.empty(0, shape.vocabulary)
        last, added = np.ascontiguousarray(x[rows]), np.ascontiguousarray(y[rows])
        h, scale = np.empty((len(rows), shape.width), np.float32), np.empty(len(rows), np.float32)
        add_norm(last, added, self._norm, shape.eps, h, scale, scaled)
        return self._head(torch.from_numpy(h)).mul_(torch.from_numpy(scale)[:, None])

    def _layer(self, weights: _Weights, path: str, make: LinearMaker) -> _Layer:
        q, k, v = (weights.get(path + name + ".weight") for name in TARGETS[:3])
        biases = [path + name + ".bias" for name in TARGETS[:3]]
        bias = np.concatenate([weights.array(name) for name in biases]) if weights.has(biases[0]) else _NO_BIAS
        gate, up = (weights.get(path + name + ".weight") for name in TARGETS[4:6])
        return _Layer(
            norm1=weights.array(path + "input_layernorm.weight"),
            qkv=make(torch.cat([q, k, v])),
            qkv_bias=bias,
            o=make(weights.get(path + TARGETS[3] + ".weight")),
            norm2=weights.array(path + "post_attention_layernorm.weight"),
            gate_up=make(torch.cat([gate, up])),
            down=make(weights.get(path + TARGETS[6] + ".weight")),
        )

    def _group(self, *numbers: int) -> _Group:
        widths = [self.shape.sizes[number][1] for number in numbers]
        return _Group(np.array(numbers, np.int64), np.concatenate([[0], np.cumsum(widths)]).astype(np.int64))


def _adapted(linear: Linear, x: np.ndarray, scale: np.ndarray, bias: np.ndarray, more: np.ndarray, *adapters: np.ndarray) -> np.ndarray:
    """``scale * (W x + B A x) + bias``; ``more``: room for the adapters' part, where it is computed apart."""
    if isinstance(linear, LinearBytes):
        return linear.adapted(x, scale, bias, more, *adapters)
    y = linear(torch.from_numpy(x)).numpy()
    adapt(x, scale, y, bias, *adapters)
    return y


class _Weights:
    """Tensors of a model's safetensors files by name, in float32."""

    def __init__(self, files: BaseModelFiles) -> None:
        self._folder = files.folder
        self._files: dict[str, Any] = {}
        for path in sorted(files.folder.glob("*.safetensors")):
            opened: Any = safe_open(str(path), framework="pt")
            for name in opened.keys():  # noqa: SIM118  # not a dict
                self._files[name] = opened

    def has(self, name: str) -> bool:
        """Whether there is a tensor of this name."""
        return name in self._files

    def get(self, name: str) -> torch.Tensor:
        """One tensor.

        Raises:
            ModelCorrupt: there is none.
        """
        if name not in self._files:
            raise ModelCorrupt("the base model lacks a weight", given=name, fix=f"download it again into {self._folder}")
        tensor: torch.Tensor = self._files[name].get_tensor(name).float()
        return tensor

    def array(self, name: str) -> np.ndarray:
        """One tensor as a numpy array."""
        return self.get(name).numpy()
