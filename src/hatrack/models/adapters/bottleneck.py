"""Bottleneck adapters on a base that holds many: up(f(down(h))) is added to the stream.

Sequential adapters (Houlsby et al. 2019, https://arxiv.org/abs/1902.00751) read what a part of the block gives; parallel
ones (He et al. 2022, https://arxiv.org/abs/2110.04366) read what the part itself reads.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn

from hatrack.models.adapters.folder import WEIGHTS, Allowed, foreign, read_config, read_tensors
from hatrack.models.adapters.switch import Variant, find

__all__ = ["ACTIVATIONS", "READS", "Bottleneck", "fit_bottleneck"]

ACTIVATIONS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "relu": nn.functional.relu,
    "gelu": nn.functional.gelu,
    "silu": nn.functional.silu,
}
# What the adapter reads: its module's output; its module's first argument, adding to the output; or the second argument of
# a module that adds and normalises (BERT), which is what the part before it read, adding to that.
READS = ("output", "input", "residual")


class Bottleneck(Variant):
    """``h [..., d]`` to ``scale · up(f(down(h)))``; ``up`` starts at zero, so training starts at the base."""

    def __init__(self, width: int, size: int, activation: str, reads: str, scale: float) -> None:
        super().__init__()
        self.down = nn.Linear(width, size)
        self.up = nn.Linear(size, width)
        nn.init.zeros_(self.up.weight)
        nn.init.zeros_(self.up.bias)
        self._activation, self._reads, self._scale = ACTIVATIONS[activation], reads, scale

    def forward(self, inner: nn.Module, *args: Any, **kwargs: Any) -> Any:
        """As the module, with the update added where it belongs."""
        if self._reads == "residual":
            hidden, residual = args
            return inner(hidden, residual + self._update(residual))
        out = inner(*args, **kwargs)
        first = out[0] if isinstance(out, tuple) else out  # attention gives its weights too
        read = first if self._reads == "output" else kwargs["hidden_states"] if "hidden_states" in kwargs else args[0]
        changed = first + self._update(read)
        return (changed, *out[1:]) if isinstance(out, tuple) else changed

    def _update(self, h: torch.Tensor) -> torch.Tensor:
        update: torch.Tensor = self.up(self._activation(self.down(h)))
        return update * self._scale


def fit_bottleneck(folder: Path, root: nn.Module) -> dict[str, Variant]:
    """The form ``bottleneck``: see ``hatrack.models.adapters.base``."""
    allowed: Allowed = {"peft_type": ("BOTTLENECK",), "size": None, "activation": tuple(ACTIVATIONS), "reads": READS, "scale": None}
    config = read_config(folder, allowed, "bottleneck layers", positive=("size", "scale"))
    width, size = int(root.config.hidden_size), int(config["size"])  # type: ignore[union-attr, arg-type]  # bases carry a config
    parts: dict[str, dict[str, torch.Tensor]] = {}
    for key, tensor in read_tensors(folder / WEIGHTS).items():
        path, own = ".".join(key.split(".")[:-2]), ".".join(key.split(".")[-2:])
        parts.setdefault(path, {})[own] = tensor.float()
    variants: dict[str, Variant] = {}
    for path, tensors in parts.items():
        find(root, path)
        layer = Bottleneck(width, size, str(config.get("activation")), str(config.get("reads")), float(config["scale"]))
        expected = {name: tuple(parameter.shape) for name, parameter in layer.named_parameters()}
        if {name: tuple(tensor.shape) for name, tensor in tensors.items()} != expected:
            given = f"{path}: {', '.join(f'{name} {tuple(tensor.shape)}' for name, tensor in sorted(tensors.items()))}"
            raise foreign(folder, given, ", ".join(f"{name} {shape}" for name, shape in expected.items()))
        layer.load_state_dict(tensors)
        variants[path] = layer.requires_grad_(False)
    if not variants:
        raise foreign(folder, "no layers at all", "down and up, weight and bias, for each adapted module")
    return variants
