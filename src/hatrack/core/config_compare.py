"""What ``compare:`` may say: which approaches are tried, on how many rows, at what prices, and what the winner must keep to."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from hatrack.core.strict import Strict

__all__ = ["CompareSettings", "Prices", "Wishes"]

Price = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Prices(Strict):
    """What things cost, in any one currency. Nothing is looked up; state your own."""

    machine_hour: Price = Field(0.10, description="One hour of the machine that answers and trains.")
    input_million: Price | None = Field(None, description="A million prompt tokens of a hosted model that states no price of its own.")
    output_million: Price | None = Field(None, description="A million answer tokens of a hosted model that states no price of its own.")


class Wishes(Strict):
    """What the recommended approach must keep to. A null asks for nothing."""

    max_latency_ms: float | None = Field(None, gt=0, description="Most milliseconds for one request, at the 95th percentile.")
    max_memory_mb: float | None = Field(None, gt=0, description="Most memory that it adds to the process, in megabytes.")
    explainable: bool = Field(False, description="It must be able to say what in a text decided.")
    offline: bool = Field(False, description="Nothing may leave this machine.")


class CompareSettings(Strict):
    """`hatrack compare`: every approach on the same test rows."""

    approaches: tuple[str, ...] | None = Field(None, description="Approaches to try; null: all that apply.")
    minutes: float | None = Field(None, gt=0, description="Minutes after which no approach is begun; null: no limit.")
    test_rows: int = Field(1000, ge=10, description="Test rows that every approach answers; of more, so many at random.")
    llm_rows: int | None = Field(
        2000, ge=10, description="Training rows of approaches that train a generating base; of more, so many at random. Null: all."
    )
    shots: int = Field(8, ge=1, le=64, description="Examples in the prompt of few-shot approaches.")
    answer_tokens: int = Field(256, ge=1, description="Most tokens of a generated answer, for task instruct.")
    embedder: str = Field("bundled/all-minilm-l6-v2", description="The encoder: bundled/NAME, a hub id, or a path.")
    curves: Literal["best", "all", "off"] = Field(
        "best", description="Learning curves: of the best and the recommended approach, of all that learn, or none."
    )
    requests: int = Field(100_000, ge=1, description="Requests over which the price of training is spread when cheapness is judged.")
    prices: Prices = Field(Prices(), description="Stated prices.")
    wishes: Wishes = Field(Wishes(), description="What the recommended approach must keep to.")
