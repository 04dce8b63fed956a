"""A conversation to one search query, by the adapter that answers: "and for companies?" finds nothing, what it means does.

    messages ─► adapter, told to write a query ─┬─ usable ──► looked for
                                                └─ not ─────► the question itself, and the reason is kept and counted

A query is usable when it is one short line that shares a word with the conversation. A small model that answers instead of
rewriting, or that goes astray, costs time and no sources.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from hatrack.core.chat import Message
from hatrack.core.errors import RequestError

__all__ = ["ANSWER_TOKENS", "Rewritten", "rewritten"]

ANSWER_TOKENS = 64  # of a query
_RULES = (
    "Write one search query that finds documents which answer the last question. Put into it what the question leaves to the "
    "conversation before it. Write the query and nothing else."
)
_LONGEST = 48  # words of a query
_TURNS = 6  # of a conversation, from its end, that the model sees
_MARKS = re.compile(r"^\s*(?:(?:search\s+)?query|question)\s*:\s*", re.IGNORECASE)
_WORD = re.compile(r"\w{3,}")


@dataclass(frozen=True)
class Rewritten:
    """What is looked for.

    Attributes:
        query: what the model wrote; empty where it wrote nothing usable.
        reason: why it was not used: ``empty``, ``long``, ``unrelated``, ``refused``; empty where it was.
    """

    query: str
    reason: str = ""


def rewritten(messages: Sequence[Message], ask: Callable[[Sequence[Message]], str]) -> Rewritten:
    """Ask for a query and judge it.

    Args:
        ask: answers a conversation with at most ``ANSWER_TOKENS`` tokens.
    """
    turns = [message for message in messages if message.role in ("user", "assistant")][-_TURNS:]
    told = "\n".join(f"{turn.role}: {' '.join(turn.content.split())}" for turn in turns)
    try:
        said = ask([Message("system", _RULES), Message("user", told)])
    except RequestError:  # no room for it, too busy, a guard-rail: the question itself will meet the same, or will not
        return Rewritten("", "refused")
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    query = _MARKS.sub("", lines[0]).strip(" \"'`*") if lines else ""
    if not re.search(r"\w", query):
        return Rewritten("", "empty")
    if len(query.split()) > _LONGEST:
        return Rewritten("", "long")
    known = set(_WORD.findall(told.casefold()))
    if known and not known & set(_WORD.findall(query.casefold())):
        return Rewritten("", "unrelated")
    return Rewritten(query)
