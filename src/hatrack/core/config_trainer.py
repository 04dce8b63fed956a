"""``trainer:`` of an adapter: settings of the loop by the names that transformers' TrainingArguments give them."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from hatrack.core.strict import Strict

__all__ = ["TRAINER_NAMES", "TrainerNames", "with_trainer_names"]

# TrainingArguments' name to the key of ``train`` that means the same.
TRAINER_NAMES: dict[str, str] = {
    "num_train_epochs": "epochs",
    "learning_rate": "learning_rate",
    "per_device_train_batch_size": "batch_size",
    "gradient_accumulation_steps": "accumulation",
    "warmup_ratio": "warmup",
    "lr_scheduler_type": "schedule",
    "weight_decay": "weight_decay",
    "max_grad_norm": "max_grad_norm",
    "label_smoothing_factor": "label_smoothing",
    "seed": "seed",
}
_SCHEDULES = {"constant_with_warmup": "constant"}


class TrainerNames(Strict):
    """Each means a key of ``train``, and becomes it when the file is read."""

    num_train_epochs: float | None = Field(None, description="As train.epochs.")
    learning_rate: float | None = Field(None, description="As train.learning_rate.")
    per_device_train_batch_size: int | None = Field(None, description="As train.batch_size.")
    gradient_accumulation_steps: int | None = Field(None, description="As train.accumulation.")
    warmup_ratio: float | None = Field(None, description="As train.warmup.")
    lr_scheduler_type: str | None = Field(None, description="As train.schedule; constant_with_warmup is constant.")
    weight_decay: float | None = Field(None, description="As train.weight_decay.")
    max_grad_norm: float | None = Field(None, description="As train.max_grad_norm.")
    label_smoothing_factor: float | None = Field(None, description="As train.label_smoothing.")
    seed: int | None = Field(None, description="As train.seed.")


def with_trainer_names(entry: dict[str, Any]) -> dict[str, Any]:
    """An adapter's entry in which what stood under ``trainer`` stands under ``train``; unknown names stay, to be refused.

    Raises:
        ValueError: a setting stands under both.
    """
    names, train = entry.get("trainer"), entry.get("train", {})
    if not isinstance(names, dict) or not isinstance(train, dict):
        return entry
    known = {name: value for name, value in names.items() if name in TRAINER_NAMES and value is not None}
    both = [f"train.{TRAINER_NAMES[name]} and trainer.{name}" for name in known if TRAINER_NAMES[name] in train]
    if both:
        raise ValueError("said twice: " + "; ".join(both))
    moved = {TRAINER_NAMES[name]: _SCHEDULES.get(value, value) if name == "lr_scheduler_type" else value for name, value in known.items()}
    rest = {name: value for name, value in names.items() if name not in known}
    return {**entry, "train": {**train, **moved}, "trainer": rest}
