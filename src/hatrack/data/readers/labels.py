"""The label a line of a transcript begins with: who speaks and perhaps when."""

from __future__ import annotations

import re
from dataclasses import dataclass

from hatrack.data.speakers import known_speaker

__all__ = ["Label", "labelled"]

_TIME = r"\d{1,2}:\d{2}(?::\d{2})?(?:[.,]\d{1,3})?"
_WORD = r"[\w.'\u2019()#/-]"
_LABEL = re.compile(
    rf"[ \t]*(?:[\[(]?(?P<before>{_TIME})[\])]?[ \t]*[-\u2013]?[ \t]*)?"
    rf"(?P<speaker>[^\W\d_]{_WORD}{{0,30}}(?:[ ]{_WORD}{{1,30}}){{0,3}})"
    rf"[ \t]*(?:[\[(](?P<after>{_TIME})[\])])?[ \t]*:(?:[ \t]+(?P<text>.*)|)$",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Label:
    """``[00:12] Agent: Good morning.`` in its parts."""

    speaker: str
    time: str
    text: str


def labelled(line: str) -> Label | None:
    """A line that begins with a known role, or with a name of up to four words that all have a capital."""
    found = _LABEL.match(line)
    if not found:
        return None
    speaker = found["speaker"].strip()
    if not known_speaker(speaker) and any(word[0].islower() for word in speaker.split()):
        return None
    return Label(speaker, found["before"] or found["after"] or "", (found["text"] or "").strip(" \t"))
