"""A Llama-like decoder: for each token its own place, its own sequence and its own adapter.

The base's linear layers are one matrix product for all tokens; everything else is a compiled loop (``kernels``).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from hatrack.models.loading import BaseModelFiles
from hatrack.serving.decoder.block import NO_BIAS, NOTHING, Block, BlockPass, Tokens
from hatrack.serving.decoder.calibration import Calibration
from hatrack.serving.decoder.linear import Linear, Linear32, LinearBytes, LinearMaker
from hatrack.serving.decoder.rotary import rotary_table
from hatrack.serving.decoder.shape import TARGETS, DecoderShape, Precision
from hatrack.serving.decoder.weights import Weights
from hatrack.serving.kernels.norm import add_norm
from hatrack.serving.kv import KVBlocks
from hatrack.serving.slots import AdapterMemory

__all__ = ["Decoder"]


class Decoder:
    """The base's weights and one method: a step."""

    @torch.inference_mode()
    def __init__(self, files: BaseModelFiles, shape: DecoderShape, precision: Precision, positions: int) -> None:
        """Read the weights; ``positions`` is the longest sequence.

        Raises:
            ModelCorrupt: a weight is missing or of another shape.
        """
        self.shape = shape
        self.precision = precision
        self._turns = rotary_table(files, shape.head, positions)
        weights = Weights(files)
        self._embedding = weights.array("model.embed_tokens.weight")
        q, k, v, o, gate, up, down = shape.sizes
        sizes = [(q[0], q[1] + k[1] + v[1]), o, (gate[0], gate[1] + up[1]), down]
        make = LinearMaker(precision, [*sizes * shape.layers, (shape.width, shape.vocabulary)])
        calibration = Calibration(shape, self._embedding, self._turns) if precision == "int8" else None
        self._blocks: list[Block[Linear]] = []
        for number in range(shape.layers):
            block = _read(weights, f"model.layers.{number}.")
            self._blocks.append(_made(block, make, calibration.through(block) if calibration else [None] * len(sizes)))
        self._norm = weights.array("model.norm.weight")
        head = weights.get("lm_head.weight") if weights.has("lm_head.weight") else weights.get("model.embed_tokens.weight")
        self._head = make(head, calibration.end(self._norm) if calibration else None)

    @property
    def fine(self) -> np.ndarray | None:
        """The columns that have more than 8 bits, of each layer for each of ``TARGETS``; None in another precision."""
        rows = [[linear.fine for linear in block.linears() if isinstance(linear, LinearBytes)] for block in self._blocks]
        return np.array([[qkv, qkv, qkv, o, gate_up, gate_up, down] for qkv, o, gate_up, down in rows]) if all(rows) else None

    @torch.inference_mode()
    def step(self, tokens: Tokens, kv: KVBlocks, adapters: AdapterMemory) -> torch.Tensor:
        """Write the tokens' keys and values, and return the logits after the wanted ones: ``[wanted, vocabulary]``."""
        x, y = self._embedding[tokens.ids], NOTHING
        through = BlockPass(self.shape, tokens, self._turns)
        for n, block in enumerate(self._blocks):
            y = through.run(block, x, y, (kv.keys[n], kv.values[n]), (adapters.arena, adapters.offset[:, n], adapters.rank[:, n]))
        rows = tokens.wanted
        if not len(rows):
            return torch.empty(0, self.shape.vocabulary)
        last, added = np.ascontiguousarray(x[rows]), np.ascontiguousarray(y[rows])
        h = np.empty((len(rows), self.shape.width), np.float32)
        add_norm(last, added, self._norm, self.shape.eps, h)
        return self._head(torch.from_numpy(h))


def _read(weights: Weights, path: str) -> Block[Linear32]:
    """A block in full precision."""
    q, k, v, o, gate, up, down = (weights.get(f"{path}{name}.weight") for name in TARGETS)
    biases = [f"{path}{name}.bias" for name in TARGETS[:3]]
    return Block(
        norm1=weights.array(path + "input_layernorm.weight"),
        qkv=Linear32(torch.cat([q, k, v])),
        qkv_bias=np.concatenate([weights.array(name) for name in biases]) if weights.has(biases[0]) else NO_BIAS,
        o=Linear32(o),
        norm2=weights.array(path + "post_attention_layernorm.weight"),
        gate_up=Linear32(torch.cat([gate, up])),
        down=Linear32(down),
    )


def _made(block: Block[Linear32], make: LinearMaker, energies: Sequence[torch.Tensor | None]) -> Block[Linear]:
    """A block in the precision of ``make``."""
    qkv, o, gate_up, down = (make(linear.weight, energy) for linear, energy in zip(block.linears(), energies, strict=True))
    return Block(block.norm1, qkv, block.qkv_bias, o, block.norm2, gate_up, down)
