"""Sentences as spans of a text: rules for English, French and German, made for contracts, laws and leaflets.

An own rule set, because every sentence must be found again in its document to the character, and a text of any shape
must take linear time. pySBD (last release 2021) has open reports of both going wrong (its issues 79 and 126);
sentencex is kept well and cuts "l'art. 5 du C. civ., M. Dupont" in three.

Where a full stop may or may not end a sentence, it does not: a sentence too long is still true, half of one is not.
"""

from __future__ import annotations

import re
from itertools import pairwise

__all__ = ["sentence_spans", "sentences"]

# A blank line, or a line that begins as an item of a list, ends what stood before.
_BLOCK = re.compile(r"\n[ \t]*\n\s*|\n(?=[ \t]*(?:[-*•·–—]|\(?(?:\d{1,3}|[a-zA-Z]|[ivxIVX]{1,5})[.)])[ \t])")
# possessive, and only from the first mark of a run: a page of dots takes no longer than a page of words
_STOP = re.compile(r"(?<![.!?])(?:[.!?]++|…)(?:[”’\"')\]]|[ \u00a0\u202f]?»)*+(?=\s)|[。！？]++[」』]?")
_NEXT = re.compile(r"\s*(\S)")
_WORD = re.compile(r"[^\s(\[«“„‘’\"']*\Z")
_REACH = 24  # no abbreviation is longer
_LETTERS = re.compile(r"(?:[^\W\d_]\.)*[^\W\d_]")  # J, e.g, U.S, i.V.m
_DAY = re.compile(r"\b(?:am|vom|zum|dem|den|der|des|im|bis|das|die|ab|seit)\s+\d{1,2}\Z", re.IGNORECASE)
_ITEM = re.compile(r"[ \t]*\(?\d{1,3}(?:\.\d{1,3})*\Z")

# Behind these there is always more.
_ALWAYS_MORE = """
    mr mrs ms dr prof messrs hon rev gen col capt sgt arts sect nos vs cf figs eq chap vol eds pp para paras reg regs resp approx est
    incl viz mme mlle mgr réf éd coll fasc hab civ pén proc soc cass trib arrdt janv févr avr juill déc
    abs nr nrn ziff lit buchst rn rz aufl hrsg vgl bzw ggf sog evtl inkl zzgl bspw insb insbes dipl ing
"""
# Words too, or often the end of a sentence: more comes only where a number, a letter or a bracket follows.
_MORE_BEFORE_A_NUMBER = (
    "ltd inc corp co plc no art sec fig par ch cl ref tel max min ca al bd st jan feb mar apr jun jul aug sep sept oct nov dec"
)
_OPEN, _BEFORE_NUMBER = frozenset(_ALWAYS_MORE.split()), frozenset(_MORE_BEFORE_A_NUMBER.split())
_NUMBER = re.compile(r"\s*(?:[\d§(]|[A-Z]{1,4}(?![^\W\d_]))")


def sentences(text: str) -> list[str]:
    """The sentences of a text, each a piece of it without white space at its ends."""
    return [text[start:end] for start, end in sentence_spans(text)]


def sentence_spans(text: str) -> list[tuple[int, int]]:
    """Begin and end of each sentence, in order. What lies between two of them is white space."""
    spans: list[tuple[int, int]] = []
    begin = 0
    for block in _BLOCK.finditer(text):
        spans += _in_block(text, begin, block.start())
        begin = block.end()
    return spans + _in_block(text, begin, len(text))


def _in_block(text: str, begin: int, end: int) -> list[tuple[int, int]]:
    cuts = [begin]
    for stop in _STOP.finditer(text, begin, end):
        if _ends(text, cuts[-1], stop, end):
            cuts.append(stop.end())
    cuts.append(end)
    spans = []
    for first, last in pairwise(cuts):
        piece = text[first:last]
        if stripped := piece.strip():
            at = first + len(piece) - len(piece.lstrip())
            spans.append((at, at + len(stripped)))
    return spans


def _ends(text: str, begin: int, stop: re.Match[str], end: int) -> bool:
    """Whether the punctuation ends a sentence: what follows must look like a beginning, what precedes not like half a word."""
    if stop.group()[0] in "。！？":
        return True
    following = _NEXT.match(text, stop.end(), end)
    if following is None or following[1].islower() or following[1] in ",;:)»":
        return False
    if stop.group() != ".":
        return True
    before = text[max(begin, stop.start() - _REACH) : stop.start()]
    found = _WORD.search(before)
    word = found.group() if found else ""
    if word.lower() in _BEFORE_NUMBER and _NUMBER.match(text, stop.end(), end):
        return False
    if word.lower() in _OPEN or _LETTERS.fullmatch(word):
        # "at 5 p.m. He left": the hour is the one abbreviation of letters that often stands at an end
        return word.lower() in ("a.m", "p.m")
    return not (word[-1:].isdigit() and (_ITEM.fullmatch(text, begin, stop.start()) or _DAY.search(before)))
