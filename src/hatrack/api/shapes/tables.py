"""Bodies and answers about tables. Not OpenAI's."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["ExplainBody", "RowsBody"]

_MOST_ROWS = 10_000


class RowsBody(BaseModel):
    """POST /v1/tables/NAME/predict."""

    model_config = ConfigDict(extra="forbid")

    rows: list[dict[str, Any]] = Field(min_length=1, max_length=_MOST_ROWS, description="Records: column name to cell; null is missing.")
    history: list[dict[str, Any]] = Field([], max_length=_MOST_ROWS, description="Earlier rows, for windows that look back.")


class ExplainBody(RowsBody):
    """POST /v1/tables/NAME/explain."""

    rows: list[dict[str, Any]] = Field(min_length=1, max_length=100, description="Records to explain, up to 100.")
    reasons: int = Field(6, ge=1, le=1000, description="How many reasons to give; the others are summed.")
    changes: int = Field(0, ge=0, le=10, description="How many sets of changes that would change the decision to look for.")
