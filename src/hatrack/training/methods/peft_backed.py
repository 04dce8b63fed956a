"""What all methods share that PEFT trains: the base is wrapped in place, and written in PEFT's own layout."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, cast

from peft import PeftConfig, get_peft_model, get_peft_model_state_dict
from pydantic import BaseModel
from torch import Tensor, nn
from torch.optim import Optimizer

from hatrack.models.adapters.folder import write_adapter
from hatrack.models.loading import Kind
from hatrack.training.methods.base import Coverage, Schedule

__all__ = ["ADAPTER", "PeftMethod", "plain_config", "task_type"]

ADAPTER = "default"  # PEFT's name for the only adapter of a wrapped base


class PeftMethod:
    """A method behind PEFT. A subclass says which config its options mean."""

    rates: ClassVar[dict[Kind, float]]

    def learning_rate(self, kind: Kind) -> float:
        return self.rates[kind]

    def config(self, base: nn.Module, options: BaseModel, kind: Kind) -> tuple[PeftConfig, dict[str, int]]:
        """PEFT's config, and how many layers each target found.

        Raises:
            TargetsNotFound: an option names modules or layers the base does not have.
        """
        raise NotImplementedError  # abstract

    def apply(self, base: nn.Module, options: BaseModel, kind: Kind) -> tuple[nn.Module, Coverage]:
        config, found = self.config(base, options, kind)
        adapted: Any = get_peft_model(cast(Any, base), config)
        return adapted, Coverage.of(adapted, found)

    def optimizer(self, adapted: nn.Module, trainee: nn.Module, options: BaseModel, schedule: Schedule) -> Optimizer | None:
        return None

    def saved(self, adapted: nn.Module) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """Config and tensors to write; a method that is applied in another form than it is trained in converts here."""
        # Not PEFT's own save_pretrained: it asks the hub about the base, and writes sets in an order that varies.
        model = cast(Any, adapted)
        return plain_config(model.peft_config[ADAPTER]), get_peft_model_state_dict(model, save_embedding_layers=False)

    def export(self, adapted: nn.Module, folder: Path, base_name: str) -> None:
        config, tensors = self.saved(adapted)
        write_adapter(folder, config | {"base_model_name_or_path": base_name}, tensors)


def plain_config(config: PeftConfig) -> dict[str, Any]:
    """A config of PEFT as JSON has it, with sets in a fixed order."""
    values: dict[str, Any] = config.to_dict() | {"inference_mode": True, "peft_type": cast(Any, config.peft_type).value}
    return {key: sorted(value) if isinstance(value, set) else value for key, value in values.items()}


def task_type(kind: Kind) -> str:
    """What PEFT calls a base of this kind."""
    return "CAUSAL_LM" if kind == "causal" else "FEATURE_EXTRACTION"
