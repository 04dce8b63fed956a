"""``trainer:`` of an adapter: settings of the loop by the names that transformers' TrainingArguments give them."""

from __future__ import annotations

from collections import Counter
from typing import Any

from pydantic import Field, field_validator

from hatrack.core.config_train import TrainSettings
from hatrack.core.strict import Strict

__all__ = ["TRAINER_NAMES", "TrainerNames", "with_trainer_names"]

# TrainingArguments' name to the key of ``train`` that means the same.
TRAINER_NAMES: dict[str, str] = {
    "num_train_epochs": "epochs",
    "learning_rate": "learning_rate",
    "per_device_train_batch_size": "batch_size",
    "gradient_accumulation_steps": "accumulation",
    "warmup_ratio": "warmup",
    "warmup_steps": "warmup",
    "lr_scheduler_type": "schedule",
    "weight_decay": "weight_decay",
    "max_grad_norm": "max_grad_norm",
    "label_smoothing_factor": "label_smoothing",
    "report_to": "report_to",
    "seed": "seed",
}
_WARM = "constant_with_warmup"


class TrainerNames(Strict):
    """Each means a key of ``train``, and becomes it when the file is read."""

    num_train_epochs: float | None = Field(None, description="As train.epochs.")
    learning_rate: float | None = Field(None, description="As train.learning_rate.")
    per_device_train_batch_size: int | None = Field(None, description="As train.batch_size.")
    gradient_accumulation_steps: int | None = Field(None, description="As train.accumulation.")
    warmup_ratio: float | None = Field(None, description="As train.warmup.")
    warmup_steps: float | None = Field(None, description="As train.warmup: a share of the steps, below 1.")
    lr_scheduler_type: str | None = Field(
        None,
        description="As train.schedule; constant_with_warmup is constant with train.warmup, 0.1 where none is given.",
    )
    weight_decay: float | None = Field(None, description="As train.weight_decay.")
    max_grad_norm: float | None = Field(None, description="As train.max_grad_norm.")
    label_smoothing_factor: float | None = Field(None, description="As train.label_smoothing.")
    report_to: str | tuple[str, ...] | None = Field(None, description="As train.report_to; one name, several, or none.")
    seed: int | None = Field(None, description="As train.seed.")

    @field_validator("warmup_steps")
    @classmethod
    def _a_share(cls, value: float | None) -> float | None:
        if value is not None:  # a share below 1 has become train.warmup
            raise ValueError("how many steps there are is not known here; give their share, below 1")
        return value


def with_trainer_names(entry: dict[str, Any]) -> dict[str, Any]:
    """An adapter's entry in which what stood under ``trainer`` stands under ``train``; unknown names stay, to be refused.

    Raises:
        ValueError: a setting stands under both, or under two names.
    """
    names, train = entry.get("trainer"), entry.get("train", {})
    if not isinstance(names, dict) or not isinstance(train, dict):
        return entry
    known = {name: value for name, value in names.items() if name in TRAINER_NAMES and value is not None and not _counts(name, value)}
    both = [f"train.{TRAINER_NAMES[name]} and trainer.{name}" for name in known if TRAINER_NAMES[name] in train]
    for key, times in Counter(TRAINER_NAMES[name] for name in known).items():
        if times > 1:
            both.append(" and ".join(f"trainer.{name}" for name in known if TRAINER_NAMES[name] == key))
    if both:
        raise ValueError("said twice: " + "; ".join(both))
    moved = {TRAINER_NAMES[name]: _ours(name, value) for name, value in known.items()}
    if names.get("lr_scheduler_type") == _WARM and "warmup" not in train:
        moved.setdefault("warmup", TrainSettings.model_fields["warmup"].default)
    rest = {name: value for name, value in names.items() if name not in known}
    return {**entry, "train": {**train, **moved}, "trainer": rest}


def _counts(name: str, value: Any) -> bool:
    """A number of steps, where TrainingArguments take a number or a share."""
    return name == "warmup_steps" and isinstance(value, int | float) and value >= 1


def _ours(name: str, value: Any) -> Any:
    if name == "lr_scheduler_type" and isinstance(value, str):
        return "constant" if value == _WARM else value
    if name == "report_to":
        trackers = [value] if isinstance(value, str) else value
        return [] if trackers == ["none"] else trackers
    return value
