"""An example as turns, for the formats that hold conversations."""

from __future__ import annotations

from hatrack.core.chat import Message
from hatrack.core.config import AdapterConfig
from hatrack.data.records import Example

__all__ = ["as_turns"]


def as_turns(example: Example, config: AdapterConfig) -> tuple[Message, ...]:
    """The conversation that is learned; a label becomes the assistant's turn.

    Raises:
        ValueError: plain text to be continued is no conversation.
    """
    if config.task == "complete":
        raise ValueError("plain text is no conversation; only the format jsonl holds it")
    if example.messages:
        return example.messages
    turns = (Message("user", example.text), Message("assistant", example.label))
    return (Message("system", config.system), *turns) if config.system else turns
