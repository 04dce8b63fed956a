"""What all methods share that PEFT does not have: they train the very variants that serving applies.

The base is put into switches (``hatrack.models.adapters.switch``) and the variants in them carry the trained parameters.
What a checkpoint and a reader of names see is the place: ``model.layers.3.mlp.added.down.weight``.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, cast

from pydantic import BaseModel
from torch import Tensor, nn
from torch.optim import Optimizer

from hatrack.core.names import BASE
from hatrack.models.adapters.folder import write_adapter
from hatrack.models.adapters.switch import Active, Switch, Variant, place
from hatrack.models.loading import Kind
from hatrack.training.methods.base import Coverage, Schedule

__all__ = ["Placed", "PlacedMethod"]

_KEY = "trained"


class Placed(Switch):
    """A base with the variants that are trained on it, switched on.

    Attributes:
        placed: the variants by the path of the module they stand on; ``""`` is the base as a whole.
        config_of_adapter: what the adapter's config says of them.
    """

    def __init__(self, base: nn.Module, variants: Mapping[str, Variant], config: Mapping[str, Any]) -> None:
        active = Active(_KEY)
        super().__init__(base.requires_grad_(False), active)
        self.placed = dict(variants)
        self.config_of_adapter = dict(config)
        for path, switch in place(self, variants, _KEY, active).items():
            switch.add_module("added", variants[path])

    @contextlib.contextmanager
    def disable_adapter(self) -> Iterator[None]:
        """The base without what is trained, inside the block; under the name that PEFT's wrapped models have for it."""
        before, self.active.name = self.active.name, BASE
        try:
            yield
        finally:
            self.active.name = before


class PlacedMethod:
    """A method of our own. A subclass says which variants its options mean."""

    rates: ClassVar[dict[Kind, float]]

    def learning_rate(self, kind: Kind) -> float:
        return self.rates[kind]

    def variants(self, base: nn.Module, options: BaseModel, kind: Kind) -> tuple[dict[str, Variant], dict[str, Any], dict[str, int]]:
        """The variants to train, what the adapter's config says of them, and how many layers each target found.

        Raises:
            TargetsNotFound: an option names modules or layers the base does not have.
        """
        raise NotImplementedError  # abstract

    def apply(self, base: nn.Module, options: BaseModel, kind: Kind) -> tuple[nn.Module, Coverage]:
        variants, config, found = self.variants(base, options, kind)
        adapted = Placed(base, variants, config)
        return adapted, Coverage.of(adapted, found)

    def optimizer(self, adapted: nn.Module, trainee: nn.Module, options: BaseModel, schedule: Schedule) -> Optimizer | None:
        return None

    def tensors(self, placed: Mapping[str, Variant]) -> dict[str, Tensor]:
        """What is written: each variant's parameters under the path of its module."""
        return {f"{path}.{name}": tensor for path, variant in placed.items() for name, tensor in variant.named_parameters()}

    def export(self, adapted: nn.Module, folder: Path, base_name: str) -> None:
        model = cast(Placed, adapted)
        write_adapter(folder, model.config_of_adapter | {"base_model_name_or_path": base_name}, self.tensors(model.placed))
