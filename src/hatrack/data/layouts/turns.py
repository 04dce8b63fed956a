"""Turns of a conversation as other people write them, brought to role and content."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["has_turns", "joined", "split_answer", "turns_in"]

_ROLES = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "human": "user",
    "prompter": "user",
    "assistant": "assistant",
    "gpt": "assistant",
    "chatgpt": "assistant",
    "model": "assistant",
    "bot": "assistant",
}
_OF_TOOLS = {"tool", "function", "function_call", "function_response", "observation", "tool_call", "tool_response", "ipython"}


def has_turns(value: Any, role: str, content: str) -> bool:
    """Whether this is a list of turns with these two keys."""
    return isinstance(value, list) and bool(value) and all(isinstance(turn, Mapping) and role in turn and content in turn for turn in value)


def turns_in(cells: Mapping[str, Any], column: str, role: str = "role", content: str = "content") -> list[dict[str, str]]:
    """The conversation in one column, as a list of ``{role, content}``.

    Raises:
        ValueError: no list of turns, a role that cannot be trained, a turn without text, tool calls, weight 0.
    """
    turns = cells.get(column)
    if not isinstance(turns, list) or not turns:
        raise ValueError(f"column {column!r} must hold a list of turns")
    return [_turn(turn, f"turn {i} of {column!r}", role, content) for i, turn in enumerate(turns, 1)]


def split_answer(turns: list[dict[str, str]], column: str) -> tuple[list[dict[str, str]], str]:
    """The turns before the last one, and the last one's text, which must be the assistant's.

    Raises:
        ValueError: the conversation does not end in an answer.
    """
    if turns[-1]["role"] != "assistant":
        raise ValueError(f"{column!r} must end with a turn of the assistant")
    return turns[:-1], turns[-1]["content"]


def joined(turns: list[dict[str, str]]) -> list[dict[str, str]]:
    """Turns in which neighbours of one role have become one, with a line break between them."""
    made: list[dict[str, str]] = []
    for turn in turns:
        if made and made[-1]["role"] == turn["role"]:
            made[-1] = {**turn, "content": f"{made[-1]['content']}\n{turn['content']}"}
        else:
            made.append(turn)
    return made


def _turn(turn: Any, where: str, role: str, content: str) -> dict[str, str]:
    if not isinstance(turn, Mapping):
        raise ValueError(f"{where} is {type(turn).__name__}, an object is needed")
    speaker = turn.get(role)
    if not isinstance(speaker, str):
        raise ValueError(f"{where} has the role {speaker!r}, a name is needed")
    if speaker in _OF_TOOLS or turn.get("tool_calls") or turn.get("function_call"):
        raise ValueError(f"{where} belongs to a tool; conversations with tools cannot be trained yet")
    if speaker not in _ROLES:
        raise ValueError(f"{where} has the role {speaker!r}; known are {', '.join(_ROLES)}")
    if turn.get("weight") == 0:
        raise ValueError(f"{where} has weight 0; remove the row, or set train.last_turn_only for the adapter and take the weights out")
    return {"role": _ROLES[speaker], "content": _content(turn.get(content), where)}


def _content(value: Any, where: str) -> str:
    """Text, or OpenAI's list of parts where all of them are text."""
    if isinstance(value, list) and value and all(isinstance(part, Mapping) and part.get("type") == "text" for part in value):
        value = "".join(part["text"] for part in value if isinstance(part.get("text"), str))
    if not isinstance(value, str):
        raise ValueError(f"{where} holds {type(value).__name__}, text is needed")
    return value
