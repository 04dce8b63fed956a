"""Methods: how an adapter is trained. Each has its own tested defaults and says as data what it can do."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from pydantic import BaseModel
from torch import nn
from torch.optim import Optimizer

from hatrack.core.plugins import Plugins
from hatrack.models.adapters.folder import TrainedOn
from hatrack.models.loading import Kind
from hatrack.training.methods.places import block_number, with_layers

__all__ = ["METHODS", "Coverage", "Method", "Schedule", "Traits", "option_model"]


@dataclass(frozen=True)
class Traits:
    """What a method can do, as data; nothing branches on its name.

    Attributes:
        summary: what it trains, in half a sentence.
        when: when to choose it, in a sentence.
        kinds: the kinds of base it makes sense for.
        mergeable: its update can be added into the base's own weights.
        mixable: rows with different adapters of it can share one forward pass; its update is one A and one B a layer.
        four_bit: it can be trained on a base whose weights are held in 4 bits.
        hot_loadable: it is attached to and taken off a running base.
        trained_on: the base it is trained beside. Only where that is the base it is used on does use give training's logits.
        leaves_base: with the adapter off, the model in training is the base: what a preference loss needs as reference.
        averages: the mean of its weights at two times is such a set of weights too.
        rank: the option that is its rank, and after it those that keep their ratio to it; empty where it has none.
    """

    summary: str
    when: str
    mergeable: bool
    mixable: bool
    four_bit: bool
    kinds: tuple[Kind, ...] = ("causal", "encoder")
    hot_loadable: bool = True
    trained_on: TrainedOn = "full-precision"
    leaves_base: bool = True
    averages: bool = True
    rank: tuple[str, ...] = ()


@dataclass(frozen=True)
class Coverage:
    """How many layers each target found and which (F10), and what is trained.

    Attributes:
        layers: numbers of the blocks where something of a target is trained; none for what stands outside of blocks.
    """

    targets: dict[str, int]
    trained: int
    total: int
    layers: dict[str, tuple[int, ...]] = field(default_factory=dict)

    @classmethod
    def of(cls, adapted: nn.Module, targets: dict[str, int]) -> Coverage:
        """Counted on the adapted model."""
        sizes = [(p.numel(), p.requires_grad) for p in adapted.parameters()]
        names = [f".{name}" for name, p in adapted.named_parameters() if p.requires_grad]
        layers = {
            target: tuple(sorted({number for name in names if f".{target}." in name and (number := block_number(name)) is not None}))
            for target in targets
        }
        return cls(targets, sum(size for size, trained in sizes if trained), sum(size for size, _ in sizes), layers)

    def __str__(self) -> str:
        found = with_layers((f"{target} x{count}", self.layers.get(target, ())) for target, count in self.targets.items())
        return f"{self.trained:,} of {self.total:,} parameters ({self.trained / self.total:.2%}): {found}"


@dataclass(frozen=True)
class Schedule:
    """What an optimizer must know of its run: peak learning rate, weight decay, and how many steps there will be."""

    learning_rate: float
    weight_decay: float
    steps: int


class Method(Protocol):
    """One way of adapting a base."""

    name: str
    traits: Traits
    options: type[BaseModel]

    def learning_rate(self, kind: Kind) -> float:
        """The peak learning rate that this method was tested with."""
        ...

    def apply(self, base: nn.Module, options: BaseModel, kind: Kind) -> tuple[nn.Module, Coverage]:
        """Freeze ``base`` and add what is trained, in place; its start values come from torch's global generator.

        On the ``meta`` device, where there are no values, only the layout is made.

        Raises:
            TargetsNotFound: an option names modules or layers the base does not have.
        """
        ...

    def optimizer(self, adapted: nn.Module, trainee: nn.Module, options: BaseModel, schedule: Schedule) -> Optimizer | None:
        """The optimizer for everything that is trained in ``trainee``, or None for the loop's own AdamW."""
        ...

    def export(self, adapted: nn.Module, folder: Path, base_name: str) -> None:
        """Write the adapter's files, the same bytes for the same weights. Asks no hub (F17)."""
        ...


METHODS: Plugins[type[Method]] = Plugins(
    "method",
    {
        "adalora": "hatrack.training.methods.adalora.method:AdaLora",
        "bitfit": "hatrack.training.methods.bitfit.method:BitFit",
        "bottleneck": "hatrack.training.methods.bottleneck.method:BottleneckLayers",
        "dora": "hatrack.training.methods.dora.method:Dora",
        "full": "hatrack.training.methods.full.method:Full",
        "ia3": "hatrack.training.methods.ia3.method:Ia3",
        "last-n": "hatrack.training.methods.last_n.method:LastN",
        "ln": "hatrack.training.methods.ln.method:NormTuning",
        "llama-adapter": "hatrack.training.methods.llama_adapter.method:LlamaAdapter",
        "lora": "hatrack.training.methods.lora.method:Lora",
        "lora+": "hatrack.training.methods.lora_plus.method:LoraPlus",
        "pissa": "hatrack.training.methods.pissa.method:Pissa",
        "prefix": "hatrack.training.methods.prefix.method:Prefix",
        "prompt": "hatrack.training.methods.prompt.method:Prompt",
        "ptuning": "hatrack.training.methods.ptuning.method:PTuning",
        "qlora": "hatrack.training.methods.qlora.method:Qlora",
        "rslora": "hatrack.training.methods.rslora.method:RsLora",
        "vera": "hatrack.training.methods.vera.method:Vera",
    },
)


def option_model(method: str) -> type[BaseModel]:
    """The model that checks a method's keys in ``hatrack.yaml``.

    Raises:
        ConfigError: there is no such method.
    """
    return METHODS.get(method).options
