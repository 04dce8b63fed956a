"""The keys that AdaLoRA adds to an adapter in ``hatrack.yaml``."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from hatrack.core.strict import Strict

__all__ = ["AdaLoraOptions"]


class AdaLoraOptions(Strict):
    """A rank for every layer at first, and a smaller budget that is dealt out by importance."""

    init_r: int = Field(12, ge=2, le=256, description="Rank of every layer at first.")
    target_r: int = Field(8, ge=1, le=255, description="Mean rank of a layer at the end; must be below init_r.")
    alpha: float = Field(32, gt=0, description="Scale: the update is multiplied by alpha / init_r.")
    dropout: float = Field(0.0, ge=0, lt=1, description="Dropout on the input of the matrices.")
    warm: float = Field(0.1, ge=0, lt=1, description="Share of the steps before ranks begin to fall.")
    settle: float = Field(0.3, ge=0, lt=1, description="Share of the steps, at the end, in which ranks are fixed.")
    orthogonality: float = Field(0.1, ge=0, description="Weight of the penalty that keeps the directions of a layer apart.")
    target_modules: tuple[str, ...] | None = Field(
        None, description="Names of the linear layers to adapt, as the base calls them; null: all in the blocks."
    )
    last_layers: int | None = Field(None, ge=1, description="Adapt only the last so many blocks; null: all. Fewer is faster.")

    @model_validator(mode="after")
    def _the_budget_falls(self) -> Self:
        if self.target_r >= self.init_r:
            raise ValueError(f"target_r must be below init_r, these are {self.target_r} and {self.init_r}")
        if self.warm + self.settle >= 1:
            raise ValueError(f"warm and settle must leave time between them, together they are {self.warm + self.settle:g}")
        return self
