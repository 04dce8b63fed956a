"""What ``provider:`` may say: who trains a model elsewhere, on what, and with what key. The key itself is never written down."""

from __future__ import annotations

from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from hatrack.core.config_price import Budget, Price
from hatrack.core.strict import Strict

__all__ = ["ProviderSettings", "checked_endpoint", "host_of"]

_LOOPBACK = ("localhost", "127.0.0.1", "::1")


def checked_endpoint(url: str) -> str:
    """The address of an API without a slash at its end.

    Raises:
        ValueError: no https address (http is for this machine alone), or one with a user, a query or a fragment.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("https", "http") or not parts.hostname:
        raise ValueError("an address like https://api.openai.com/v1 is needed")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError("an address alone is needed; a key belongs into the environment")
    if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
        raise ValueError("http would show key and data to everyone on the way; https is needed")
    return url.rstrip("/")


def host_of(url: str) -> str:
    """Where a request goes, as a user should see it: ``api.openai.com``."""
    return urlsplit(url).netloc


class ProviderSettings(Strict):
    """Hosted fine-tuning, for `hatrack train --provider`. A null leaves the choice to the provider."""

    model: str = Field(min_length=1, description="The provider's model to fine-tune, by the provider's name for it.")
    base_url: Annotated[str, AfterValidator(checked_endpoint)] = Field(
        "https://api.openai.com/v1",
        description="Address of an API that speaks OpenAI's fine-tuning protocol; https, or http on this machine.",
    )
    api_key_env: str = Field(
        "OPENAI_API_KEY", description="Name of the environment variable that holds the key; the key stands nowhere else."
    )
    epochs: int | None = Field(None, ge=1, description="Passes over the training rows.")
    batch_size: int | None = Field(None, ge=1, description="Rows in one step.")
    learning_rate_multiplier: float | None = Field(None, gt=0, description="Factor on the provider's own learning rate.")
    validation: bool = Field(True, description="Send the validation rows too, for the provider's validation loss. Test rows are not sent.")
    poll_seconds: float = Field(10, gt=0, description="Seconds between two looks at a running job.")
    personal_data: Literal["refuse", "send"] = Field(
        "refuse", description="Rows with personal data that prepare.pii leaves as it is, or does not look for: refuse, or send them."
    )
    price: Price | None = Field(None, description="What answers of its models cost; null: tokens are counted, and no cost is shown.")
    budget: Budget = Field(Budget(), description="The most that may be spent on answers of each of its models.")

    @model_validator(mode="after")
    def _money_needs_a_price(self) -> Self:
        if self.budget.limits and self.price is None:
            raise ValueError("a budget needs a price: state price: {input_million: ..., output_million: ...}")
        return self
