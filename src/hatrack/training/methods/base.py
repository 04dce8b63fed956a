"""Methods: how an adapter is trained. Each is a small folder of the same shape, with its own tested defaults."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from pydantic import BaseModel
from torch import nn

from hatrack.core.plugins import Plugins
from hatrack.models.loading import Kind

__all__ = ["METHODS", "Coverage", "Method", "Traits", "option_model"]


@dataclass(frozen=True)
class Traits:
    """What a method can do, as data; nothing branches on its name."""

    summary: str
    mergeable: bool
    hot_loadable: bool
    mixable: bool
    four_bit: bool


@dataclass(frozen=True)
class Coverage:
    """How many layers each target found (F10), and what is trained."""

    targets: dict[str, int]
    trained: int
    total: int

    def __str__(self) -> str:
        found = ", ".join(f"{target} x{count}" for target, count in self.targets.items())
        return f"{self.trained:,} of {self.total:,} parameters ({self.trained / self.total:.2%}): {found}"


class Method(Protocol):
    """One way of adapting a base."""

    name: str
    traits: Traits
    options: type[BaseModel]

    def learning_rate(self, kind: Kind) -> float:
        """The peak learning rate that this method was tested with."""
        ...

    def apply(self, base: nn.Module, options: BaseModel, kind: Kind) -> tuple[nn.Module, Coverage]:
        """Freeze ``base`` and add what is trained; its start values come from torch's global generator.

        Raises:
            TargetsNotFound: an option names modules or layers the base does not have.
        """
        ...

    def export(self, adapted: nn.Module, folder: Path, base_name: str) -> None:
        """Write the adapter's files, the same bytes for the same weights. Asks no hub (F17)."""
        ...


METHODS: Plugins[type[Method]] = Plugins("method", {"lora": "hatrack.training.methods.lora.method:Lora"})


def option_model(method: str) -> type[BaseModel]:
    """The model that checks a method's keys in ``hatrack.yaml``.

    Raises:
        ConfigError: there is no such method.
    """
    return METHODS.get(method).options
