"""A conversation to one search query, by the adapter that answers: "and for companies?" finds nothing, what it means does.

    messages ─► adapter, told to write a query ─┬─ usable ──► looked for
                                                └─ not ─────► the question itself, and the reason is kept and counted

A query is usable when it is one short line that shares a telling word with the conversation. A small model that goes astray
costs time and no sources.
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
_TELLING = 4  # letters of a word that says what a text is about; shorter ones must be names in capitals, or hold a digit
_CJK = 0x2E80  # from here on, scripts write without blanks


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
    known = _telling(" ".join(turn.content for turn in turns))
    if known and not known & _telling(query):
        return Rewritten("", "unrelated")
    return Rewritten(query)


def _telling(text: str) -> set[str]:
    """The words of a text that say what it is about; pairs of letters where words are not written apart."""
    found: set[str] = set()
    for word in re.findall(r"\w+", text):
        if ord(max(word)) >= _CJK:
            found |= {word[i : i + 2] for i in range(max(1, len(word) - 1))}
        elif len(word) >= _TELLING or word.isupper() or any(one.isdigit() for one in word):
            found.add(word.casefold())
    return found
