"""``train:`` of an adapter: how the training loop runs, and which work it may leave out."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from hatrack.core.strict import Strict

__all__ = ["FastSettings", "TrainSettings"]

Switch = Literal["auto", "on", "off"]


class FastSettings(Strict):
    """Less work for the same gradients. auto: where it is exact and saves something; on: or refuse to train; off: never."""

    prefix_cache: Switch = Field("auto", description="Compute the blocks below the adapted ones once for each row, and keep the results.")
    label_only: Literal["auto", "off"] = Field("auto", description="Compute the output head, and most of the last block, at labels only.")
    packing: Switch = Field("auto", description="Run rows without padding, and what all rows begin with once for each batch.")
    fused: Literal["auto", "off"] = Field(
        "auto", description="Compute a linear layer and its plain LoRA, and whole blocks of the Llama family, as one operation."
    )
    onednn: Literal["auto", "off"] = Field("auto", description="Multiply with frozen weights by oneDNN, not by MKL, on a CPU.")
    cache_gb: float = Field(10, gt=0, description="Most disk for all results that prefix_cache keeps in the project, in gigabytes.")


class TrainSettings(Strict):
    """The training loop. A null takes the default of the method and the task."""

    epochs: float = Field(3, gt=0, description="Passes over the training rows, at most; early stopping may end sooner.")
    learning_rate: float | None = Field(None, gt=0, description="Peak learning rate; null: the method's own tested default.")
    batch_size: int = Field(16, ge=1, description="Rows in one forward pass, of all processes together.")
    accumulation: int = Field(1, ge=1, description="Forward passes for one optimizer step; the loss does not depend on it.")
    max_length: int = Field(512, ge=8, description="Longest row in tokens; what is longer is cut, see checks.max_truncated.")
    warmup: float = Field(
        0.1,
        ge=0,
        lt=1,
        description="Share of the steps in which the learning rate rises. Schedule constant: 0, where none is given.",
    )
    schedule: Literal["cosine", "linear", "constant"] = Field(
        "cosine", description="How the learning rate falls afterwards; constant: not at all."
    )
    weight_decay: float = Field(0.0, ge=0, description="AdamW weight decay on the adapter's weights.")
    max_grad_norm: float = Field(1.0, gt=0, description="Gradients are scaled down to this norm.")
    label_smoothing: float = Field(0.0, ge=0, lt=1, description="Label smoothing, for task classify.")
    r_drop: float = Field(0.0, ge=0, description="Task classify: weight of R-Drop, two passes under other dropout that must agree; 0: off.")
    ema: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="Validate and keep a moving average of the weights with this decay, such as 0.99; 0: the weights themselves.",
    )
    evals_per_epoch: int = Field(1, ge=1, description="How often validation loss is measured and a checkpoint is written.")
    patience: int = Field(2, ge=1, description="Stop after so many validations without a lower loss.")
    seed: int = Field(13, ge=0, lt=2**32, description="Covers the split, the adapter's start values and the order of rows.")
    last_turn_only: bool = Field(False, description="Train only the last assistant turn of a conversation.")
    base_dropout: Literal["keep", "off"] = Field("keep", description="Dropout inside the base: as its config says, or none (faster).")
    fast: FastSettings = Field(FastSettings(), description="Less work for the same gradients.")
    report_to: tuple[Literal["tensorboard", "mlflow", "wandb"], ...] = Field(
        (), description="Trackers that follow the run as well (extra trackers)."
    )
    memory_gb: float | None = Field(None, gt=0, description="Most memory that training may take, in gigabytes; null: what is free.")

    @model_validator(mode="before")
    @classmethod
    def _constant_from_the_first_step(cls, given: Any) -> Any:
        """As transformers' ``constant``; with a warm-up that is written down it is ``constant_with_warmup``."""
        if isinstance(given, dict) and given.get("schedule") == "constant":
            return {"warmup": 0.0, **given}
        return given
