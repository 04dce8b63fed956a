"""What answers from elsewhere cost, and how much may be spent on them."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from hatrack.core.strict import Strict

__all__ = ["Budget", "Price"]

Money = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Price(Strict):
    """What the provider asks, in any one currency. Nothing is looked up; copy it from your contract."""

    input_million: Money = Field(description="A million prompt tokens.")
    output_million: Money = Field(description="A million answer tokens, those of hidden reasoning included.")

    def nanos(self, prompt_tokens: int, answer_tokens: int) -> int:
        """The cost in thousand-millionths of the currency, rounded up: sums of whole numbers do not drift."""
        exact = (prompt_tokens * self.input_million + answer_tokens * self.output_million) * 1000
        return int(-(-exact // 1))


class Budget(Strict):
    """The most that may be spent, in the currency of the price; days and months are those of UTC. A null sets no limit."""

    day: Money | None = Field(None, description="In a day.")
    month: Money | None = Field(None, description="In a month.")
    total: Money | None = Field(None, description="Ever.")

    @property
    def limits(self) -> dict[str, float]:
        """Period to limit, of those that are set."""
        return {period: limit for period, limit in self.model_dump().items() if limit is not None}
