"""The ``openai`` export: the files of OpenAI's fine-tuning API, for supervised and for preference fine-tuning.

The rules are those of its guides: at least 10 examples in a file of at most 512 MB; a record holds ``messages`` and
nothing else; the last message is the assistant's; no content is empty; ``weight`` of an assistant's message is 0 or 1; a
preference record holds ``input``, ``preferred_output`` and ``non_preferred_output``, each output being the assistant's
one message.
"""

from __future__ import annotations

from typing import Any

from hatrack.core.config import AdapterConfig
from hatrack.data.exports.turns import as_turns
from hatrack.data.records import Example

__all__ = ["OpenAI"]


class OpenAI:
    """Holds what the API accepts. ``train.last_turn_only`` becomes weight 0 on the assistant's earlier turns."""

    fewest = 10
    largest = 512_000_000  # of a file that is uploaded

    def record(self, example: Example, config: AdapterConfig) -> dict[str, Any]:
        messages: list[dict[str, Any]] = [dict(turn.as_dict()) for turn in as_turns(example, config)]
        for i, message in enumerate(messages, 1):
            if not message["content"].strip():
                raise ValueError(f"message {i} is empty")
        if messages[-1]["role"] != "assistant":
            raise ValueError("the last message must be the assistant's")
        if not any(message["role"] == "user" for message in messages):
            raise ValueError("there is no message of the user")
        if config.task != "prefer":
            earlier = [message for message in messages[:-1] if message["role"] == "assistant"]
            if config.train.last_turn_only:
                for message in earlier:
                    message["weight"] = 0
            return {"messages": messages}
        if not example.rejected.strip():
            raise ValueError("the worse answer is empty")
        return {
            "input": {"messages": messages[:-1], "tools": [], "parallel_tool_calls": True},
            "preferred_output": messages[-1:],
            "non_preferred_output": [{"role": "assistant", "content": example.rejected}],
        }
