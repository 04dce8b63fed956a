"""What ``serve.http`` and ``serve.keys`` in ``hatrack.yaml`` may say."""

from __future__ import annotations

import re

from pydantic import Field, field_validator

from hatrack.core.strict import Strict

__all__ = ["HttpSettings", "KeyEntry"]

_SCOPE = re.compile(r"use:(\*|[a-z0-9][a-z0-9._-]*)|admin|metrics")


class HttpSettings(Strict):
    """Limits of the HTTP server."""

    answer_tokens: int = Field(512, ge=1, description="Longest answer where a request does not say, in tokens; never beyond the context.")
    body_mb: float = Field(4.0, gt=0, description="Largest body of a request, in megabytes; more is refused with 413.")
    body_seconds: float = Field(30.0, gt=0, description="Seconds in which the body of a request must have arrived.")
    send_seconds: float = Field(60.0, gt=0, description="Seconds for which a client may not read its stream before it is given up.")
    drain_seconds: float = Field(30.0, ge=0, description="Seconds that running answers get to finish when the server is told to stop.")
    page: bool = Field(True, description="Show a page at / to try the base and its adapters; it asks for a key where the API does.")
    log: bool = Field(True, description="Write one line of JSON for each request to stderr; never a prompt, an answer or a key.")


class KeyEntry(Strict):
    """One API key, known by its digest only."""

    name: str = Field(min_length=1, max_length=64, description="What the key is called in lists and logs.")
    digest: str = Field(pattern=r"^[0-9a-f]{64}$", description="SHA-256 of the key, in hexadecimal.")
    tenant: str | None = Field(None, description="Whose key it is: nothing computed for one tenant is used for another; null: its name.")
    scopes: tuple[str, ...] = Field(("use:*",), description="What it may do: use:NAME, use:*, metrics, admin.")
    requests_per_minute: float | None = Field(None, gt=0, description="Requests that it may make in a minute; null: no limit.")
    tokens_per_minute: float | None = Field(None, gt=0, description="Prompt and answer tokens that it may use in a minute; null: no limit.")

    @field_validator("scopes")
    @classmethod
    def _scopes_are_known(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for scope in value:
            if not _SCOPE.fullmatch(scope):
                raise ValueError(f"{scope!r} is no scope; allowed: use:NAME, use:*, metrics, admin")
        return value

    @property
    def owner(self) -> str:
        """The tenant."""
        return self.tenant or self.name
