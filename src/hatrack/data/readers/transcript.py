"""Transcripts: text in which every turn begins with its speaker, as in ``Agent: Good morning``."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from hatrack.data.readers.base import lines
from hatrack.data.readers.labels import labelled
from hatrack.data.readers.signatures import HEAD
from hatrack.data.readers.spoken import Turn, text_line
from hatrack.data.records import RawRow, RowFault, beginning
from hatrack.data.speakers import answers

__all__ = ["Transcript"]

_RULE = re.compile(r"[ \t]*(?:-{3,}|={3,}|\*{3,}|_{3,})[ \t]*$")


class Transcript:
    """Reads calls, one turn in a row; lines without a speaker go on with the turn above them.

    Calls are divided by rules (``---``) where the file has any, else by empty lines, else the file is one call. Where every
    turn stands alone between empty lines, these divide nothing.
    """

    suffixes = (".txt",)
    document = False
    magic = b""

    def sniff(self, head: bytes) -> str:
        """Most lines are labelled, by two speakers or more, and the labels are those of a conversation, not of a form."""
        text = [line for line in _lines_of(head) if line.strip() and not _RULE.match(line)]
        found = Counter(label.speaker for line in text if (label := labelled(line)))
        if len(found) < 2 or 2 * sum(found.values()) < len(text):
            return ""
        both_again = min(count for _, count in found.most_common(2)) > 1
        if not both_again and not any(answers(name) for name in found):
            return ""
        return f"its lines are labelled {' and '.join(f'{name}:' for name, _ in found.most_common(2))}"

    def rows(self, stream: BinaryIO, path: Path, max_row_bytes: int) -> Iterator[RawRow | RowFault]:
        by_rule, by_blank = _dividers(_lines_of(stream.read(HEAD)))
        stream.seek(0)
        turn: Turn | None = None
        call, used = 1, False
        for number, line in lines(stream, max_row_bytes):
            text = text_line(line, number, max_row_bytes)
            label = labelled(text) if isinstance(text, str) else None
            divides = isinstance(text, str) and bool(_RULE.match(text) if by_rule else by_blank and not text.strip())
            if turn and (label or divides or isinstance(text, RowFault)):
                yield turn.row("\n")
                turn = None
            if isinstance(text, RowFault):
                yield text
            elif divides:
                call, used = call + used, False
            elif label:
                turn, used = Turn(number, str(call), label.speaker, label.time, max_row_bytes), True
                turn.say(label.text)
            elif text.strip():
                if turn:
                    turn.say(text.strip(" \t"))
                else:
                    yield RowFault(number, "nobody is named as its speaker", beginning(text))
        if turn:
            yield turn.row("\n")


def _lines_of(head: bytes) -> list[str]:
    """The first lines; the last one may be cut."""
    return [line.rstrip("\r") for line in head.decode("utf-8-sig", "replace").split("\n")]


def _dividers(text: list[str]) -> tuple[bool, bool]:
    """Whether rules divide the calls, and whether empty lines do."""
    if any(_RULE.match(line) for line in text):
        return True, False
    turns_in_a_block = [0]
    for line in text:
        if not line.strip():
            turns_in_a_block.append(0)
        elif labelled(line):
            turns_in_a_block[-1] += 1
    return False, any(turns > 1 for turns in turns_in_a_block)
