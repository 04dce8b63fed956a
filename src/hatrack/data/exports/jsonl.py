"""The ``jsonl`` export: Hatrack's own columns, under the names that the config gives them; the same config reads it back."""

from __future__ import annotations

from typing import Any

from hatrack.core.config import AdapterConfig
from hatrack.data.records import Example

__all__ = ["Jsonl"]


class Jsonl:
    """Holds every example of every task."""

    fewest = 1
    largest = None

    def record(self, example: Example, config: AdapterConfig) -> dict[str, Any]:
        names = config.columns
        record: dict[str, Any] = {names.id or "id": example.id}
        turns = [message.as_dict() for message in example.messages]
        if config.task == "instruct":
            record[names.messages] = turns
        elif config.task == "prefer":
            record |= {names.messages: turns[:-1], names.chosen: turns[-1]["content"], names.rejected: example.rejected}
        else:
            record[names.text] = example.text
            if config.task != "complete":
                record[names.label] = example.label
        if example.group:
            record[names.group or "group"] = example.group
        return record
