"""One switch for every form of adapter: a module of the base, and what each resident adapter does in its place.

    base.layers.3.mlp  ─►  Switch ── nothing active ──► the module itself, untouched (F33)
                             └────── "legal" active ──► legal's variant, called with the module

All switches of a base share one ``Active``. Switching is one assignment, whatever the number of layers, adapters and
forms; nothing is loaded, copied or walked through.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from hatrack.core.errors import AdapterBroken
from hatrack.core.names import BASE

__all__ = ["Active", "Switch", "Variant", "find", "place", "remove", "tensor_bytes", "unwrap"]


@dataclass
class Active:
    """Which adapter is applied now; shared by all switches of one base."""

    name: str = BASE


class Variant(nn.Module):
    """What one adapter makes of one module: called with the module and then with the module's own arguments."""

    def tensors(self) -> dict[str, torch.Tensor]:
        """What the variant adds to memory, by name; nothing that it shares with the base."""
        return dict(self.named_parameters()) | dict(self.named_buffers())


class Switch(nn.Module):
    """A module of the base and the variants of every resident adapter that changes it."""

    def __init__(self, inner: nn.Module, active: Active) -> None:
        super().__init__()
        self.inner = inner
        self.active = active
        self.variants: dict[str, Variant] = {}

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """As the module inside, or as the active adapter's variant of it."""
        variant = self.variants.get(self.active.name)
        return self.inner(*args, **kwargs) if variant is None else variant(self.inner, *args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            if name == "inner":
                raise
            return getattr(self.inner, name)  # models look at each other's attributes: config, weight, layer_idx


def unwrap(module: nn.Module) -> nn.Module:
    """The module of the base, without its switch."""
    return module.inner if isinstance(module, Switch) else module


def find(root: nn.Module, path: str) -> nn.Module:
    """The module at a path of the bare base, seeing through switches on the way; the switch where it has one.

    Raises:
        AdapterBroken: the base has no such module.
    """
    module = root
    for name in path.split(".") if path else ():
        child = unwrap(module)._modules.get(name)
        if child is None:
            raise AdapterBroken("the adapter names a layer the base does not have", given=path, fix="use the base it was trained on")
        module = child
    return module


def place(root: nn.Module, variants: Mapping[str, Variant], key: str, active: Active) -> dict[str, Switch]:
    """Put variants on the modules at their paths, under ``key``; ``root`` itself must be a switch to take the path ``""``.

    Raises:
        AdapterBroken: a path the base does not have; nothing is changed then.
    """
    found = {path: find(root, path) for path in variants}
    switches = {}
    for path, module in found.items():
        switch = module if isinstance(module, Switch) else _insert(root, path, Switch(module, active))
        switch.variants[key] = variants[path]
        switches[path] = switch
    return switches


def remove(root: nn.Module, paths: tuple[str, ...], key: str) -> None:
    """Take the variants of ``key`` away; a module that no adapter changes any more stands in the base as before."""
    for path in paths:
        switch = find(root, path)
        if isinstance(switch, Switch):
            switch.variants.pop(key, None)
            if path and not switch.variants:
                _insert(root, path, switch.inner)


def tensor_bytes(variants: Mapping[str, Variant]) -> int:
    """Memory of an adapter; what several of its variants share counts once."""
    sizes: dict[int, int] = {}
    for variant in variants.values():
        for tensor in variant.tensors().values():
            sizes[tensor.data_ptr()] = max(tensor.nbytes, sizes.get(tensor.data_ptr(), 0))
    return sum(sizes.values())


def _insert(root: nn.Module, path: str, module: Any) -> Any:
    parent, _, name = path.rpartition(".")
    setattr(unwrap(find(root, parent)), name, module)
    return module
