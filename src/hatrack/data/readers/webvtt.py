"""WebVTT: the captions of a recorded call, with who speaks, turn by turn (W3C WebVTT)."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from hatrack.core.errors import DataFileError
from hatrack.data.readers.base import excerpt, lines
from hatrack.data.readers.labels import labelled
from hatrack.data.readers.spoken import Turn, text_line
from hatrack.data.records import RawRow, RowFault, beginning

__all__ = ["WebVtt"]

_TIME = r"(?:\d{2,}:)?\d{2}:\d{2}\.\d{3}"
_TIMING = re.compile(rf"({_TIME})[ \t]+-->[ \t]+{_TIME}(?:[ \t]|$)")
_VOICE = re.compile(r"<v(?:\.[^\s>]*)?[ \t]+([^>]{1,200})>")
_TAG = re.compile(r"</?[a-z0-9:.][^<>]{0,200}>", re.IGNORECASE)
_NOT_CUES = ("NOTE", "STYLE", "REGION")


class WebVtt:
    """Reads captions with a voice, ``<v Ana>text``, or a label, ``Ana: text``; a file is one conversation.

    Neighbouring captions of one speaker are one turn, numbered by the line of its first text.
    """

    suffixes = (".vtt",)
    document = False
    magic = b""

    def sniff(self, head: bytes) -> str:
        return "begins with WEBVTT" if head.removeprefix(b"\xef\xbb\xbf").startswith(b"WEBVTT") else ""

    def rows(self, stream: BinaryIO, path: Path, max_row_bytes: int) -> Iterator[RawRow | RowFault]:
        turn: Turn | None = None
        speaker, cue = "", ""
        for number, time, said in _cue_lines(stream, path, max_row_bytes):
            if time != cue:
                speaker, cue = "", time
            for name, words in [("", said)] if isinstance(said, RowFault) else _voices(said):
                speaker = name or speaker
                if turn and (isinstance(words, RowFault) or speaker != turn.speaker):
                    yield turn.row(" ")
                    turn = None
                if isinstance(words, RowFault):
                    yield words
                elif speaker:
                    turn = turn or Turn(number, "1", speaker, time, max_row_bytes)
                    turn.say(words)
                else:
                    yield RowFault(number, "nobody is named as its speaker", beginning(words))
        if turn:
            yield turn.row(" ")


def _cue_lines(stream: BinaryIO, path: Path, limit: int) -> Iterator[tuple[int, str, str | RowFault]]:
    """Line number, start of its cue, and text of each line that is said."""
    time, skipping = "", True  # the header is skipped up to its empty line
    for number, line in lines(stream, limit):
        text = text_line(line, number, limit)
        if isinstance(text, RowFault):
            yield number, time, text
        elif number == 1:
            if text[:6] != "WEBVTT" or text[6:7] not in ("", " ", "\t"):
                raise DataFileError("this is no WebVTT file", given=f"{path}: {excerpt(text)}", allowed="WEBVTT on the first line")
        elif not text.strip():
            time, skipping = "", False
        elif time:
            yield number, time, text.strip(" \t")
        elif skipping or text.startswith(_NOT_CUES):
            skipping = True
        elif "-->" in text:
            timing = _TIMING.match(text)
            time, skipping = (timing[1], False) if timing else ("", True)
            if not timing:
                yield number, "", RowFault(number, "a timing has the form 00:00.000 --> 00:00.000", beginning(text))


def _voices(line: str) -> Iterator[tuple[str, str]]:
    """Speaker (empty where none is named) and words of each part of a line."""
    before, *voices = _VOICE.split(line)
    words = _plain(before)
    label = None if voices else labelled(words)
    if label:
        yield label.speaker, label.text
    elif words:
        yield "", words
    for name, said in zip(voices[::2], voices[1::2], strict=True):
        yield html.unescape(name).strip(), _plain(said)


def _plain(text: str) -> str:
    return html.unescape(_TAG.sub("", text)).strip(" \t")
