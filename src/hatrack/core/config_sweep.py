"""What ``sweep:`` of an adapter may say: the settings that ``hatrack train --sweep`` tries, and how long it may take."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from hatrack.core.strict import Strict

__all__ = ["SweepSpace"]

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1)]


class SweepSpace(Strict):
    """What ``hatrack train --sweep`` tries. A key that is null is not tried: the adapter's own setting holds."""

    methods: tuple[str, ...] | None = Field(
        None, description="Methods; null: the adapter's own, lora, bottleneck, ia3 and last-n (with `parent`: its own alone)."
    )
    ranks: tuple[Count, ...] | None = Field(
        (4, 16, 64), description="Ranks (bottleneck: size), for the methods that have one; alpha keeps its ratio to it."
    )
    rates: tuple[Positive, ...] | None = Field(
        None,
        description="Learning rates as multiples of each method's own; null: 0.3, 1 and 3, if there are no learning_rates.",
    )
    learning_rates: tuple[Positive, ...] | None = Field(
        None, description="Learning rates as they are, the same for all methods; tried beside rates."
    )
    targets: tuple[tuple[str, ...] | None, ...] | None = Field(
        None, description="Lists to try as target_modules, for the methods that have it; a null among them: the method's own."
    )
    last_layers: tuple[Count | None, ...] | None = Field(
        None, description="Numbers to try as last_layers, for the methods that have it; a null among them: all blocks."
    )
    trials: int = Field(12, ge=2, le=1000, description="Settings that are tried at most, the adapter's own among them.")
    rungs: int = Field(
        3, ge=1, le=8, description="How many rungs; the last trains as long as train.epochs says, each before it a part of that."
    )
    keep: int = Field(3, ge=2, le=10, description="One in so many goes on to the next rung, which trains so many times as long.")
    minutes: float | None = Field(
        None, gt=0, description="Minutes after which no trial is begun; each rung has its equal share. Null: no limit."
    )
    score: Literal["auto", "metric", "loss"] = Field(
        "auto",
        description="On validation rows. metric: what the gate compares, as the adapter answers (not for complete and prefer); "
        "loss: validation loss; auto: metric for tasks with labels, else loss.",
    )
    seed: int = Field(13, ge=0, lt=2**32, description="Which settings are tried, and in which order.")

    @field_validator("targets", mode="before")
    @classmethod
    def _targets_are_lists(cls, value: Any) -> Any:
        if isinstance(value, list | tuple) and any(isinstance(one, str) for one in value):
            raise ValueError("a list of lists is needed, one for each choice: [[q_proj, v_proj], null]")
        return value

    @field_validator("methods", "ranks", "rates", "learning_rates", "targets", "last_layers", mode="before")
    @classmethod
    def _one_is_a_list_of_one(cls, value: Any) -> Any:
        values = value if isinstance(value, list | tuple) or value is None else [value]
        if values is not None and not values:
            raise ValueError("an empty list tries nothing; leave the key out")
        return values
