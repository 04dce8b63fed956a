"""A base in 4 bits: the linear layers of its blocks as NF4 (Dettmers et al. 2023, https://arxiv.org/abs/2305.14314).

Embeddings, norms and the output head keep full precision: they are looked up or small, and the head is often tied to the
embeddings. So do layers whose input is no multiple of 64: bitsandbytes reads the constants of such a layer row by row on a
CPU, having written them across rows, and what it gives back is off by a fifth.

A quantised base is for training beside it. Nothing is merged into it, and adapters are served on the base they name, in
full precision: rounding a merged weight to 4 bits would throw away much of what was learned.
"""

from __future__ import annotations

import re
from typing import Any, cast

import torch
from torch import nn

from hatrack.core.errors import ModelError
from hatrack.core.extras import require

__all__ = ["check_not_quantised", "quantise", "resident_bytes"]

_IN_BLOCK = re.compile(r"\.\d+\.")
_GROUP = 64  # weights that share one constant


def quantise(module: nn.Module) -> None:
    """Replace the linear layers of all blocks by 4-bit ones, one after the other, in place.

    Raises:
        MissingExtra: bitsandbytes is not installed.
        ModelError: the module is quantised already, or has no layer that can be.
    """
    bnb: Any = require("bitsandbytes", extra="qlora", reason="a 4-bit base")
    check_not_quantised(module)
    inside = {name: layer for name, layer in module.named_modules() if isinstance(layer, nn.Linear) and _IN_BLOCK.search(name)}
    linears = [name for name, layer in inside.items() if layer.in_features % _GROUP == 0]
    if not linears:
        raise ModelError(
            "no layer of this base can be held in 4 bits",
            given=f"inputs of {', '.join(str(width) for width in sorted({layer.in_features for layer in inside.values()}))}",
            allowed=f"multiples of {_GROUP}",
            fix="use lora; a base this small gains nothing from 4 bits",
        )
    for name in linears:
        parent, _, own = name.rpartition(".")
        setattr(module.get_submodule(parent), own, _in_four_bits(bnb, cast(nn.Linear, module.get_submodule(name))))
    cast(Any, module).is_loaded_in_4bit = True  # by this PEFT chooses its layers


def check_not_quantised(module: nn.Module) -> None:
    """Refuse what only a base in full precision can take, such as a merge (F20).

    Raises:
        ModelError: some of its layers are in 4 bits.
    """
    four_bit = [name for name, layer in module.named_modules() if _state(layer) is not None]
    if four_bit:
        raise ModelError(
            "this base is held in 4 bits; weights cannot be added to it without ruining them",
            given=f"{len(four_bit)} 4-bit layers, the first is {four_bit[0]}",
            allowed="the same base in full precision",
            fix="load the base again and merge into that",
        )


def resident_bytes(module: nn.Module) -> int:
    """Memory that the weights of a module take, with the constants that 4-bit layers need to read theirs."""
    held = {parameter.data_ptr(): parameter.nbytes for parameter in [*module.parameters(), *module.buffers()]}
    for layer in module.modules():
        state = _state(layer)
        while state is not None:  # the constants are quantised too, and have constants of their own
            held |= {tensor.data_ptr(): tensor.nbytes for tensor in (state.absmax, state.code)}
            state = state.state2
    return sum(held.values())


def _in_four_bits(bnb: Any, linear: nn.Linear) -> nn.Module:
    layer: Any = bnb.nn.Linear4bit(
        linear.in_features,
        linear.out_features,
        bias=linear.bias is not None,
        compute_dtype=torch.float32,
        compress_statistics=True,
        quant_type="nf4",
        device="meta",
    )
    # else evaluation would compute in bfloat16 and training in float32, and a validation loss would mean neither
    layer.support_avx512bf16_for_cpu = False
    weight = bnb.nn.Params4bit(linear.weight.data, requires_grad=False, compress_statistics=True, quant_type="nf4", module=layer)
    layer.weight = weight.to(linear.weight.device)
    layer.bias = linear.bias
    return cast(nn.Module, layer)


def _state(layer: nn.Module) -> Any:
    return getattr(getattr(layer, "weight", None), "quant_state", None)
