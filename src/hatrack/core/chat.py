"""A conversation: a tuple of messages, checked once where it enters."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast, get_args

from hatrack.core.errors import TemplateError

__all__ = ["Message", "Role", "as_messages"]

Role = Literal["system", "user", "assistant"]


@dataclass(frozen=True, slots=True)
class Message:
    """One turn: who speaks and what is said."""

    role: Role
    content: str

    def as_dict(self) -> dict[str, str]:
        """The form chat templates and OpenAI-compatible clients use."""
        return {"role": self.role, "content": self.content}


def as_messages(turns: Iterable[Message | Mapping[str, Any]] | str) -> tuple[Message, ...]:
    """Accept what users write: a bare question, dictionaries, or messages.

    Raises:
        TemplateError: an unknown role, content that is not text, or no turn at all.
    """
    if isinstance(turns, str):
        return (Message("user", turns),)
    messages = tuple(turn if isinstance(turn, Message) else _from_mapping(turn, i) for i, turn in enumerate(turns))
    if not messages:
        raise TemplateError("a conversation needs at least one message", given="[]", allowed="a user message")
    return messages


def _from_mapping(turn: Mapping[str, Any], position: int) -> Message:
    where = f"message {position + 1}"
    role, content = turn.get("role"), turn.get("content")
    if role not in get_args(Role):
        raise TemplateError(f"{where} has an unknown role", given=repr(role), allowed=", ".join(get_args(Role)))
    if not isinstance(content, str):
        raise TemplateError(f"{where} has no text", given=f"content: {content!r}", allowed="a string")
    return Message(cast(Role, role), content)
