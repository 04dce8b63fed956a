"""The option ``--filter``."""

from __future__ import annotations

import json
from typing import Any

from hatrack.core.errors import KnowledgeError

__all__ = ["read_filter"]


def read_filter(text: str | None) -> dict[str, Any]:
    """A filter as it was written; the empty one for None.

    Raises:
        KnowledgeError: it is no JSON, or no object.
    """
    if text is None:
        return {}
    try:
        read = json.loads(text)
    except ValueError:
        read = None
    if not isinstance(read, dict):
        raise KnowledgeError(
            "this is no filter", given=text, allowed='an object of JSON, as {"country": "FR"}', fix="see docs/knowledge.md"
        )
    return read
