"""The option ``knowledge``: an answer from documents, with its sources."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from hatrack.answering.grounding import KnowledgeWish

__all__ = ["KnowledgeBody", "wish_of"]


class KnowledgeBody(BaseModel):
    """Where to look. Not OpenAI's."""

    model_config = ConfigDict(extra="forbid", strict=True)

    collections: list[str] = Field([], max_length=100, description="Collections; none: the adapter's, else all that the caller may read.")
    filter: dict[str, Any] = Field({}, description='Only documents with these metadata, as {"country": "FR"}.')
    as_of: str | None = Field(None, description="Only documents that are valid on this day, as 2024-01-31.")
    k: int | None = Field(None, ge=1, le=100, description="Passages before the question.")
    threshold: float | None = Field(None, ge=-1, le=1, description="Cosine similarity that a passage must reach.")


def wish_of(body: bool | KnowledgeBody | None) -> KnowledgeWish | bool | None:
    """The option as answering understands it."""
    if isinstance(body, KnowledgeBody):
        return KnowledgeWish(tuple(body.collections), body.filter, body.as_of, body.k, body.threshold)
    return body
