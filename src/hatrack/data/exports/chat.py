"""The ``chat`` export: messages as most trainers read them; for preference data prompt, chosen and rejected as turns (TRL)."""

from __future__ import annotations

from typing import Any

from hatrack.core.config import AdapterConfig
from hatrack.data.exports.turns import as_turns
from hatrack.data.records import Example

__all__ = ["Chat"]


class Chat:
    """Holds conversations of any length, with the example's id."""

    fewest = 1
    largest = None

    def record(self, example: Example, config: AdapterConfig) -> dict[str, Any]:
        turns = [turn.as_dict() for turn in as_turns(example, config)]
        if config.task != "prefer":
            return {"id": example.id, "messages": turns}
        worse = {"role": "assistant", "content": example.rejected}
        return {"id": example.id, "prompt": turns[:-1], "chosen": turns[-1:], "rejected": [worse]}
