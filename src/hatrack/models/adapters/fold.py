"""An adapter folded into its base, for tools that know no adapters: the base's own weights are changed, nothing is added.

It works for every form that is affine on linear layers, without knowing any of them: what stands in for a layer is asked
for zero and for each unit vector, and its answers are the new bias and the new weight. So LoRA, DoRA, VeRA and (IA)³ need
no arithmetic of their own here, and a form that is not affine (a bottleneck) is found out by a third question.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from hatrack.core.errors import AdapterMismatch
from hatrack.models.adapters.delta import Replaced
from hatrack.models.adapters.switch import Variant, find

__all__ = ["NOT_FOLDED", "fold_in"]

# Forms that stand beside the base's weights whatever their values are: nothing need be loaded to say so.
NOT_FOLDED = ("bottleneck", "prefix-tuning", "prompt-tuning", "p-tuning", "adaption-prompt")
_TOLERANCE = 1e-3  # relative; float32 sums in another order


@torch.no_grad()
def fold_in(root: nn.Module, variants: Mapping[str, Variant]) -> None:
    """Change the weights of ``root`` to what its modules are under ``variants``.

    A layer that shares its weight with another (an output head tied to the embeddings) gets a weight of its own, and the
    model's config then says so: else the next loading would tie them again and the change would be lost (F20).

    Raises:
        AdapterMismatch: a variant that no weights of this architecture can stand for. ``root`` is spoiled then.
    """
    fresh: dict[int, nn.Parameter] = {}  # parameters that stay tied to each other get one new value
    for path, variant in variants.items():
        module = find(root, path) if path else root
        if isinstance(variant, Replaced):
            for name, value in variant.named_parameters():
                _set(module, path, name, fresh.setdefault(value.data_ptr(), nn.Parameter(value.detach().clone(), requires_grad=False)))
        elif isinstance(module, nn.Linear):
            weight, bias = _affine(module, variant, path)
            module.weight = nn.Parameter(weight, requires_grad=False)
            if module.bias is not None or bool(bias.abs().max() > 0):
                _set(module, path, "bias", nn.Parameter(bias, requires_grad=False))
        else:
            raise _no_place(f"{type(variant).__name__} on {path or 'the whole model'}")
    _untie(root)


def _affine(linear: nn.Linear, variant: Variant, path: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Weight and bias with ``variant(x) = x Wᵀ + b``."""
    width = linear.in_features
    bias = variant(linear, torch.zeros(1, width))[0]
    weight = (variant(linear, torch.eye(width)) - bias).T.contiguous()
    asked = torch.randn(4, width, generator=torch.Generator().manual_seed(0))
    given, wanted = nn.functional.linear(asked, weight, bias), variant(linear, asked)
    if not float((given - wanted).abs().max()) <= _TOLERANCE * (1 + float(wanted.abs().max())):
        raise _no_place(f"{type(variant).__name__} on {path}, which is not affine")
    return weight, bias


def _set(module: nn.Module, path: str, name: str, value: nn.Parameter) -> None:
    if module._parameters.get(name) is None:
        raise _no_place(f"{path}.{name}, which the base does not have")
    module._parameters[name] = value


def _untie(root: nn.Module) -> None:
    """Say in the config that head and embeddings are two, where they were one."""
    model: Any = root
    if not getattr(model.config, "tie_word_embeddings", False) or not hasattr(model, "get_output_embeddings"):
        return
    into, out = model.get_input_embeddings(), model.get_output_embeddings()
    if out is not None and into.weight is not out.weight:
        model.config.tie_word_embeddings = False


def _no_place(given: str) -> AdapterMismatch:
    return AdapterMismatch(
        "this adapter cannot be folded into its base: a model of this architecture has no place for it",
        given=given,
        allowed="changes of the weights and biases that the base has",
        fix="export it as `peft` where PEFT knows its form, or serve it with `hatrack serve`",
    )
