"""The ``alpaca`` export: instruction, input, output."""

from __future__ import annotations

from typing import Any

from hatrack.core.config import AdapterConfig
from hatrack.data.exports.turns import as_turns
from hatrack.data.records import Example

__all__ = ["Alpaca"]


class Alpaca:
    """Holds one question and one answer. The adapter's own system prompt, the same in all rows, belongs to its config."""

    fewest = 1
    largest = None

    def record(self, example: Example, config: AdapterConfig) -> dict[str, Any]:
        if config.task == "prefer":
            raise ValueError("it holds one answer, not a better and a worse one")
        turns = as_turns(example, config)
        if turns[0].role == "system":
            if turns[0].content != config.system:
                raise ValueError("it has no place for a system prompt of a row")
            turns = turns[1:]
        if [turn.role for turn in turns] != ["user", "assistant"]:
            raise ValueError(f"it holds one question and one answer, not {len(turns)} turns")
        return {"instruction": turns[0].content, "input": "", "output": turns[1].content}
