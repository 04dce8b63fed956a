"""Changed parameters: some of the base's own weights, biases or norms, replaced while the adapter is active.

The base keeps its values. A changed module has a twin that shares everything with it but the changed parameters; the
switch calls the one or the other, so nothing is copied when adapters change.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from hatrack.core.errors import AdapterBroken
from hatrack.models.adapters.folder import WEIGHTS, Allowed, foreign, read_config, read_tensors, write_config
from hatrack.models.adapters.lora import PREFIX
from hatrack.models.adapters.switch import Variant, find, unwrap
from hatrack.models.delta.parameters import Held, ParameterDelta, read_record, restore_parameters, write_parameters

__all__ = ["Replaced", "fit_delta", "fit_norms", "held_by", "owners", "replacements", "write_delta"]

_NORM = ".ln_tuning_layers."  # where PEFT's LN tuning keeps the twin of a norm


class Replaced(Variant):
    """A module with some of its own parameters replaced; it may also gain a bias it did not have."""

    def __init__(self, module: nn.Module, changed: Mapping[str, nn.Parameter]) -> None:
        super().__init__()
        for name, parameter in changed.items():
            self.register_parameter(name, parameter)
        twin = copy.copy(module)
        twin._parameters = {**module._parameters, **changed}
        self._twin = (twin,)  # in a tuple: a submodule would list the base's own parameters as this adapter's

    def forward(self, inner: nn.Module, *args: object, **kwargs: object) -> object:
        """As the module itself, with the changed parameters."""
        return self._twin[0](*args, **kwargs)


def owners(root: nn.Module) -> dict[str, list[tuple[str, str]]]:
    """Every parameter of a base by its first name, with all places that hold it; tied weights have two.

    A place is ``(module path, parameter name)``, as in the bare base, whatever switches stand in it.
    """
    first: dict[int, str] = {}
    places: dict[str, list[tuple[str, str]]] = {}

    def walk(module: nn.Module, path: str) -> None:
        for own, parameter in module._parameters.items():
            if parameter is not None:
                places.setdefault(first.setdefault(id(parameter), f"{path}{own}"), []).append((path.removesuffix("."), own))
        for name, child in module._modules.items():
            if child is not None:
                walk(unwrap(child), f"{path}{name}.")

    walk(unwrap(root), "")
    return places


def replacements(root: nn.Module, changed: Mapping[str, nn.Parameter]) -> dict[str, Variant]:
    """Variants that put ``changed`` (full parameter name to value) in every place of the base that held the old value.

    Raises:
        AdapterBroken: a parameter the base does not have, or one of another shape.
    """
    places, by_module = owners(root), dict[str, dict[str, nn.Parameter]]()
    for name, value in changed.items():
        path, _, own = name.rpartition(".")
        _check_shape(unwrap(find(root, path)), own, value, name)
        for module, parameter in places.get(name, [(path, own)]):
            by_module.setdefault(module, {})[parameter] = value
    return {path: Replaced(unwrap(find(root, path)), parameters) for path, parameters in by_module.items()}


def fit_delta(folder: Path, root: nn.Module) -> dict[str, Variant]:
    """The form ``delta``: see ``hatrack.models.adapters.base``."""
    allowed: Allowed = {"peft_type": ("DELTA",)}
    read_config(folder, allowed, "changed parameters of the base")
    record = read_record(folder / WEIGHTS)
    if record is None:  # whole parameters, as other tools write them
        return _fitted(folder, root, read_tensors(folder / WEIGHTS))
    changed = restore_parameters(folder / WEIGHTS, record, held_by(root))
    if not all(bool(torch.isfinite(tensor).all()) for tensor in changed.values()):
        raise foreign(folder, "NaN or infinity", "finite numbers")
    return _fitted(folder, root, changed)


def write_delta(
    folder: Path, config: Mapping[str, Any], root: nn.Module, changed: Mapping[str, torch.Tensor], rank_energy: float | None = None
) -> ParameterDelta:
    """Write an adapter of the form ``delta`` for the base in ``root``: config, and the differences to its parameters."""
    write_config(folder, config)
    return write_parameters(folder / WEIGHTS, held_by(root), changed, rank_energy)


def held_by(root: nn.Module) -> Held:
    """The base's own parameters by name, whatever switches stand in it."""

    def held(name: str) -> torch.Tensor | None:
        path, _, own = name.rpartition(".")
        return unwrap(find(root, path))._parameters.get(own)

    return held


def fit_norms(folder: Path, root: nn.Module) -> dict[str, Variant]:
    """The form ``ln-tuning``, as PEFT writes it: see ``hatrack.models.adapters.base``."""
    allowed: Allowed = {"peft_type": ("LN_TUNING",)}
    read_config(folder, allowed, "changed norms")
    changed = {}
    for key, tensor in read_tensors(folder / WEIGHTS).items():
        path, norm, parameter = key.removeprefix(PREFIX).rpartition(_NORM)
        if not key.startswith(PREFIX) or not norm or "." in parameter:
            raise foreign(folder, f"tensor {key}", "one ln_tuning_layers for each norm")
        changed[f"{path}.{parameter}"] = tensor
    return _fitted(folder, root, changed)


def _fitted(folder: Path, root: nn.Module, changed: Mapping[str, torch.Tensor]) -> dict[str, Variant]:
    if not changed:
        raise foreign(folder, "no parameters at all", "at least one changed parameter")
    return replacements(root, {name: nn.Parameter(tensor.float(), requires_grad=False) for name, tensor in changed.items()})


def _check_shape(module: nn.Module, own: str, value: torch.Tensor, name: str) -> None:
    held = module._parameters.get(own)
    if held is None and own == "bias" and isinstance(module, nn.Linear):
        expected: tuple[int, ...] | None = (module.out_features,)  # a linear layer without a bias may gain one
    else:
        expected = None if held is None else tuple(held.shape)
    if expected != tuple(value.shape):
        raise AdapterBroken(
            "the adapter changes a parameter that the base does not have",
            given=f"{name} {tuple(value.shape)}",
            allowed="no such parameter" if expected is None else f"{name} {expected}",
            fix="use the base it was trained on",
        )
