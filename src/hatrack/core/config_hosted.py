"""What ``hosted:`` may say: models that others host, by a name of yours."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from hatrack.core.config_price import Budget, Price
from hatrack.core.config_provider import checked_endpoint
from hatrack.core.strict import Strict

__all__ = ["HostedModel"]


class HostedModel(Strict):
    """One model elsewhere. Adapters name it with their key ``hosted``."""

    backend: str = Field(description="The protocol it speaks: openai (and whoever speaks it, vLLM too), anthropic, mistral.")
    model: str = Field(min_length=1, description="The model, by the provider's name for it.")
    base_url: Annotated[str, AfterValidator(checked_endpoint)] | None = Field(
        None, description="Where it is: https, or http on this machine; null: the backend's own address."
    )
    api_key_env: str | None = Field(
        None, description="Name of the environment variable that holds the key; null: the backend's usual one. The key stands nowhere else."
    )
    price: Price | None = Field(None, description="What it costs; null: tokens are counted, and no cost is shown.")
    budget: Budget = Field(Budget(), description="The most that may be spent on it, by all adapters together.")
    timeout: float = Field(120.0, gt=0, le=3600, description="Seconds that a request waits for an answer, or for the next piece of one.")
    retries: int = Field(4, ge=0, le=20, description="How often a request is sent again after 429, 5xx or a lost connection.")
    context: int = Field(32768, ge=16, description="Longest prompt and answer together that is sent, in tokens.")
    sampling: bool = Field(True, description="Send temperature and top_p; false for models that refuse them, as reasoning ones do.")

    personal_data: Literal["refuse", "send"] = Field(
        "refuse", description="Test rows with personal data that prepare.pii leaves as it is, or does not look for: refuse, or send them."
    )

    @model_validator(mode="after")
    def _money_needs_a_price(self) -> Self:
        if self.budget.limits and self.price is None:
            raise ValueError("a budget needs a price: state price: {input_million: ..., output_million: ...}")
        return self
