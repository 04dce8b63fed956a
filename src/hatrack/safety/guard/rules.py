"""The rules of one adapter, made ready once and applied to every conversation and every answer."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hatrack.core.chat import Message
from hatrack.core.config_guard import GuardRules, InputRules, OutputRules
from hatrack.core.config_prepare import PiiPolicy
from hatrack.safety.guard.action import Acted
from hatrack.safety.guard.injection import injection
from hatrack.safety.guard.repair import repaired_json, satisfies
from hatrack.safety.guard.topics import Topics
from hatrack.safety.redact import Redactor

__all__ = ["Checked", "CheckedInput", "Guarded"]

_CITATION = re.compile(r"\[\d{1,3}(?:\s*[,;-]\s*\d{1,3})*\]")
_END = re.compile(r"[.!?…]['\"”»)]*(?=\s|$)")


@dataclass(frozen=True)
class CheckedInput:
    """A conversation after the rules. ``refused``: the rule that refuses it."""

    messages: tuple[Message, ...]
    acted: tuple[Acted, ...]
    refused: Acted | None = None


@dataclass(frozen=True)
class Checked:
    """An answer after the rules; where it is refused, ``text`` is what stands in its place."""

    text: str
    acted: tuple[Acted, ...]


class Guarded:
    """Thread-safe: nothing changes after it is made.

    Args:
        schema: the adapter's ``answer_schema``.
    """

    def __init__(self, rules: GuardRules, schema: dict[str, Any] | None = None) -> None:
        self._input, self._output, self._refusal = rules.input, rules.output, rules.refusal
        self._schema = schema
        self._asked, self._told = Topics(rules.input.topics), Topics(rules.output.topics)
        used = rules.input.pii != "off" or rules.output.pii != "off"
        self._redactor = Redactor(PiiPolicy(mode="mask")) if used else None
        self.reads = rules.input != InputRules()
        self.writes = rules.output != OutputRules()

    def check_input(self, messages: Sequence[Message]) -> CheckedInput:
        """Apply the rules to a conversation: topics and orders in what the user says last, personal data in all user turns."""
        turns = tuple(messages)
        said = [turn.content for turn in turns if turn.role == "user"]
        last = said[-1] if said else ""
        acted: list[Acted] = []

        def refuse(rule: str, detail: str) -> CheckedInput:
            refusal = Acted(f"input.{rule}", "refused", detail)
            return CheckedInput(turns, (*acted, refusal), refusal)

        limit = self._input.max_characters
        if limit is not None and (length := sum(len(turn.content) for turn in turns)) > limit:
            return refuse("max_characters", f"{length} characters of at most {limit}")
        topic = self._asked.find(last)
        if topic is not None:
            return refuse("topics", topic)
        tried = injection(last) if self._input.injection != "off" else None
        if tried and self._input.injection == "refuse":
            return refuse("injection", tried)
        if tried:
            acted.append(Acted("input.injection", "flagged", tried))
        if self._redactor is not None and self._input.pii != "off":
            found = self._redactor.apply(said)
            types = ", ".join(sorted({finding.type for some in found.findings for finding in some}))
            if types and self._input.pii == "refuse":
                return refuse("pii", types)
            if types:
                acted.append(Acted("input.pii", "masked", types))
                masked = iter(found.texts)
                turns = tuple(Message("user", next(masked)) if turn.role == "user" else turn for turn in turns)
        return CheckedInput(turns, tuple(acted))

    def check_output(self, text: str) -> Checked:
        """Apply the rules to a whole answer."""
        acted: list[Acted] = []

        def refuse(rule: str, detail: str = "") -> Checked:
            return Checked(self._refusal, (*acted, Acted(f"output.{rule}", "refused", detail)))

        rules = self._output
        if rules.answer_schema != "off" and self._schema is not None and not satisfies(text, self._schema):
            repaired = repaired_json(text, self._schema) if rules.answer_schema == "repair" else None
            if repaired is None:
                return refuse("answer_schema")
            acted.append(Acted("output.answer_schema", "repaired"))
            text = repaired
        topic = self._told.find(text)
        if topic is not None:
            return refuse("topics", topic)
        if rules.citation == "require" and not _CITATION.search(text):
            return refuse("citation")
        if self._redactor is not None and rules.pii != "off":
            found = self._redactor.apply([text])
            types = ", ".join(sorted({finding.type for finding in found.findings[0]}))
            if types and rules.pii == "refuse":
                return refuse("pii", types)
            if types:
                acted.append(Acted("output.pii", "masked", types))
                text = found.texts[0]
        if rules.max_characters is not None and len(text) > rules.max_characters:
            acted.append(Acted("output.max_characters", "cut"))
            text = _cut(text, rules.max_characters)
        return Checked(text, tuple(acted))


def _cut(text: str, limit: int) -> str:
    """At most ``limit`` characters, ended after a sentence where one ends in the second half of them, else after a word."""
    head = text[:limit]
    ends = [match.end() for match in _END.finditer(head) if match.end() > limit // 2]
    if ends:
        return head[: ends[-1]]
    between_words = text[limit - 1 : limit + 1].strip() != text[limit - 1 : limit + 1]
    return (head if between_words else head.rsplit(None, 1)[0]).rstrip() or head
