"""Linear layers that read the same input, with their low-rank adapters, as one operation forwards and backwards.

PEFT computes ``W x``, then ``B A x``, then scales it, then adds it, and autograd walks back through each of these; for
queries, keys and values three times over the same ``x``. With few rows, many small products cost more than their
arithmetic. Here the ``W`` and ``A`` of all layers lie under each other in one matrix, so that one product gives their
outputs and what the adapters need, and one gives the input's gradient. (Unsloth's LoRA kernels have the same aim by other
means.)
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import torch
from torch import nn

from hatrack.training.fast.products import Product

__all__ = ["Layer", "Stack", "plain_layers", "stack"]

Layer = tuple[Any, str]  # of torch or PEFT, and the name of its adapter; empty where it has none


class Stack(Protocol):
    """Layers that read the same input ``[rows, d_in]``."""

    @property
    def weights(self) -> Sequence[nn.Parameter]:
        """What is trained: each ``A``, then each ``B``."""
        ...

    @property
    def versions(self) -> tuple[int, ...]:
        """Another one after each step of the optimizer."""
        ...

    def forward(self, x: torch.Tensor) -> tuple[Sequence[torch.Tensor], torch.Tensor]:
        """The output of each layer, and something that ``backward`` wants."""
        ...

    def room(self, rows: int) -> tuple[torch.Tensor, Sequence[torch.Tensor]]:
        """A matrix for ``backward``, and where in it the gradient of each output is to be written."""
        ...

    def backward(
        self, both: torch.Tensor, x: torch.Tensor, inner: torch.Tensor, *, into: bool
    ) -> tuple[torch.Tensor | None, Sequence[torch.Tensor]]:
        """The gradients of ``x`` (None unless ``into`` it is wanted) and of each of ``weights``.

        Args:
            both: what ``room`` gave, filled with the gradients of the outputs.
            x: what ``forward`` was given.
            inner: what it gave beside the outputs.
        """
        ...


def stack(layers: Sequence[Layer], product: Product) -> Stack:
    """These layers as one; ``product`` is what computes ``x Wᵀ + bias``."""
    return _Adapted(layers, product) if any(name for _, name in layers) else _Frozen([layer for layer, _ in layers], product)


class _Frozen:
    """No layer has an adapter: each keeps its weights where they are."""

    weights: Sequence[nn.Parameter] = ()
    versions: tuple[int, ...] = ()

    def __init__(self, layers: Sequence[nn.Linear], product: Product) -> None:
        self._product = product
        self._layers = layers
        self._outputs = [len(layer.weight) for layer in layers]

    def forward(self, x: torch.Tensor) -> tuple[Sequence[torch.Tensor], torch.Tensor]:
        return [self._product(x, layer.weight.data, None if layer.bias is None else layer.bias.data) for layer in self._layers], x[:0]

    def room(self, rows: int) -> tuple[torch.Tensor, Sequence[torch.Tensor]]:
        flat = self._layers[0].weight.new_empty(rows * sum(self._outputs))
        return flat, self._parts(flat)

    def backward(
        self, both: torch.Tensor, x: torch.Tensor, inner: torch.Tensor, *, into: bool
    ) -> tuple[torch.Tensor | None, Sequence[torch.Tensor]]:
        if not into:
            return None, ()
        first, *others = (
            self._product(part, layer.weight.data.t(), None) for part, layer in zip(self._parts(both), self._layers, strict=True)
        )
        for other in others:
            first.add_(other)
        return first, ()

    def _parts(self, flat: torch.Tensor) -> list[torch.Tensor]:
        rows = len(flat) // sum(self._outputs)
        return [part.view(rows, -1) for part in torch.split(flat, [rows * width for width in self._outputs])]


class _Adapted:
    """Some layers have an adapter.

    ``upper`` is ``[n + r, d_in]``: the frozen weights under each other, then each ``A``. ``scales`` is ``[r]``: the factor
    of each row of ``A``. ``n`` and ``r`` are sums over the layers.
    """

    def __init__(self, layers: Sequence[Layer], product: Product) -> None:
        self._product = product
        bases = [layer.base_layer if name else layer for layer, name in layers]
        adapted = [(layer, name) for layer, name in layers if name]
        self._adapted = [i for i, (_, name) in enumerate(layers) if name]
        self._a = [layer.lora_A[name].weight for layer, name in adapted]
        self._b = [layer.lora_B[name].weight for layer, name in adapted]
        self.weights = [*self._a, *self._b]
        self._outputs = [len(base.weight) for base in bases]
        self._ranks = [len(a) for a in self._a]
        self._n, r = sum(self._outputs), sum(self._ranks)
        first = self._a[0]
        self._upper = torch.cat([*(base.weight.data for base in bases), first.new_zeros(r, first.shape[1])])
        for base, part in zip(bases, torch.split(self._upper[: self._n], self._outputs), strict=True):
            base.weight.data = part  # nothing is held twice
        self._copies = torch.split(self._upper[self._n :], self._ranks)
        self._bias = None
        if any(base.bias is not None for base in bases):
            found = [first.new_zeros(len(base.weight)) if base.bias is None else base.bias.data for base in bases]
            self._bias = torch.cat([*found, first.new_zeros(r)])
        self._scales = torch.cat(
            [first.new_full((rank,), layer.scaling[name]) for rank, (layer, name) in zip(self._ranks, adapted, strict=True)]
        )

    @property
    def versions(self) -> tuple[int, ...]:
        return tuple(weight._version for weight in self.weights)

    def forward(self, x: torch.Tensor) -> tuple[Sequence[torch.Tensor], torch.Tensor]:
        """``x Wᵀ + bias + scale · x Aᵀ Bᵀ`` of each layer, and ``scale · x Aᵀ`` of all."""
        torch._foreach_copy_(self._copies, self._a)  # in one call: a step makes many of these
        both = self._product(x, self._upper, self._bias)
        out = torch.split(both[:, : self._n], self._outputs, dim=1)
        inner = both[:, self._n :] * self._scales  # a tensor of its own, or it would keep the outputs too
        for i, part, b in zip(self._adapted, torch.split(inner, self._ranks, dim=1), self._b, strict=True):
            out[i].addmm_(part, b.t())
        return out, inner

    def room(self, rows: int) -> tuple[torch.Tensor, Sequence[torch.Tensor]]:
        both = self._upper.new_empty(rows, len(self._upper))
        return both, torch.split(both[:, : self._n], self._outputs, dim=1)

    def backward(
        self, both: torch.Tensor, x: torch.Tensor, inner: torch.Tensor, *, into: bool
    ) -> tuple[torch.Tensor | None, Sequence[torch.Tensor]]:
        out = torch.split(both[:, : self._n], self._outputs, dim=1)
        of_inner, of_b = both[:, self._n :], []
        parts = zip(self._adapted, torch.split(of_inner, self._ranks, dim=1), torch.split(inner, self._ranks, dim=1), self._b, strict=True)
        for i, of_part, part, b in parts:
            torch.mm(out[i], b, out=of_part)
            of_b.append(out[i].t() @ part)
        of_a = torch.split(of_inner.mul_(self._scales).t() @ x, self._ranks)
        return self._product(both, self._upper.t(), None) if into else None, [*of_a, *of_b]


def plain_layers(model: nn.Module) -> Iterator[Layer]:
    """Linear layers of torch and of PEFT's LoRA whose mathematics is that of a stack.

    Plain means frozen and in full precision, with one adapter or none, without dropout, magnitudes or a bias of its own.
    """
    from peft.tuners.lora.layer import Linear

    inside = {module.base_layer for module in model.modules() if isinstance(module, Linear)}
    for layer in model.modules():
        if type(layer) is nn.Linear and layer not in inside and _frozen(layer):
            yield layer, ""
        if type(layer) is not Linear or len(layer.active_adapters) != 1 or "forward" in vars(layer):
            continue
        [name] = layer.active_adapters
        plain = (
            type(layer.base_layer) is nn.Linear
            and name in layer.lora_A
            and name not in layer.lora_variant
            and isinstance(layer.lora_dropout[name], nn.Identity)
            and layer.lora_B[name].bias is None
            and _frozen(layer.base_layer)
            and {layer.lora_A[name].weight.dtype, layer.lora_B[name].weight.dtype} == {torch.float32}
        )
        if plain:
            yield layer, name


def _frozen(layer: nn.Linear) -> bool:
    return layer.weight.dtype == torch.float32 and not any(parameter.requires_grad for parameter in layer.parameters())
