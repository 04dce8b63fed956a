"""What ``serve.cache`` may say: answers that are kept and given again."""

from __future__ import annotations

from pydantic import Field

from hatrack.core.strict import Strict

__all__ = ["CacheSettings", "NearSettings"]


class NearSettings(Strict):
    """Answers to questions that are worded a little differently. Off until a tenant is named."""

    tenants: tuple[str, ...] = Field((), description='Tenants whose questions may be answered so; "" is who calls without a key.')
    similarity: float = Field(
        0.95, ge=0.5, le=1, description="Cosine similarity that two questions must have besides the same content words."
    )


class CacheSettings(Strict):
    """Finished answers, kept in the project and given again to the very same request."""

    enabled: bool = Field(True, description="Keep answers to deterministic requests (temperature 0, or a seed).")
    ttl: float = Field(86_400, gt=0, description="Seconds after which an answer is forgotten.")
    max_mb: float = Field(256, gt=0, description="Most memory on disk for kept answers, in megabytes; the longest unused go first.")
    near: NearSettings = Field(NearSettings(), description="Answers to questions that are worded a little differently.")
