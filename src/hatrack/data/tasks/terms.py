"""Where a text defines its terms: quoted, in bold, glossary entries, abbreviations, headings that are defined below."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from hatrack.data.tasks.passages import word_count
from hatrack.data.tasks.sentences import sentences
from hatrack.data.tasks.words import content_words

__all__ = ["Term", "defined_terms"]

_FEWEST_WORDS = 6  # of the sentence beside the term
_WINDOW = 200  # characters in front of an abbreviation in which its words stand
_LONGEST_TERM = 5  # words

_DEFINES = (
    r"(?:(?:shall |will )?(?:means?|refers? to|denotes?|includes?)|has the meaning|(?:is|are)(?: defined as)?"
    r"|désigne(?:nt)?|signifie(?:nt)?|s['’]entend(?:ent)?|est|sont|bezeichne[tn]|bedeute[tn]|ist|sind)\b"
)
_QUOTED = r"[“\"«„][ \u00a0\u202f]?(?P<term>[^“”\"«»„\n]{2,60}?)[ \u00a0\u202f]?[”\"»“]"
_PLAIN = r"(?P<term>[^\W\d_a-zß-öø-ÿ][^:*_\n–—.;!?]{1,50}?)"
_BESIDE = r"(?:the|an?|each|collectively|together|hereinafter|l[ea]s?|l['’]|une?|ci-après|dénommée?s?|der|die|das|nachfolgend)"

_PATTERNS = (
    re.compile(rf"{_QUOTED}\s*(?:\([^()]{{1,60}}\)\s*)?,?\s*{_DEFINES}"),  # “Affiliate” means
    re.compile(rf"\((?:{_BESIDE}[ ,]*){{0,4}}{_QUOTED}\)", re.IGNORECASE),  # (the “Supplier”)
    re.compile(rf"(?:\*\*|__)(?P<term>[^*_\n:]{{2,60}})(?::(?:\*\*|__)|(?:\*\*|__)\s*(?:[:–—-]|{_DEFINES}))"),  # **Term**: or **Term** is
)
# Term: the definition. It begins with an article; what has none is a list or an instruction behind a colon.
_ARTICLE = r"(?:(?:an?|the|any|each|every|une?|l[ea]s?|tout|toute|der|die|das|eine?|jede[rs]?)\s|l['’])"
_GLOSSARY = re.compile(rf"\A(?:[-*•]\s+)?{_PLAIN}\s?(?::|[–—](?=\s))\s+(?=(?i:{_ARTICLE}))")
_ABBREVIATION = re.compile(r"\((?P<term>[^\W\d_](?:[^\W_]|[&/-]){1,9})\)")
_REMARKS = """
    note notes warning caution important example examples tip source figure table date subject remark answer question attention nota
    exemple remarque conseil objet réponse hinweis achtung beispiel wichtig quelle tabelle betreff antwort frage warnung avertissement
"""
_NO_TERMS = frozenset(_REMARKS.split())


@dataclass(frozen=True, slots=True)
class Term:
    """A term and the sentence that defines it: ``sentence[start:end] == text``."""

    text: str
    sentence: str
    start: int
    end: int


def defined_terms(text: str, heading: str) -> Iterator[Term]:
    """Terms in the order of their sentences, at most one from each sentence."""
    patterns = (*_PATTERNS, _heading_defined(heading)) if heading else _PATTERNS
    for sentence in sentences(text):
        found = next(_in_sentence(sentence, patterns), None)
        if found is not None:
            yield found


def _in_sentence(sentence: str, patterns: Sequence[re.Pattern[str]]) -> Iterator[Term]:
    for pattern in patterns:
        for match in pattern.finditer(sentence):
            if _is_term(match["term"], sentence):
                yield Term(match["term"], sentence, *match.span("term"))
    entry = _GLOSSARY.match(sentence)
    if entry and content_words(entry["term"].split()[0]) and _is_term(entry["term"], sentence):  # not "The doors open at ten: ..."
        yield Term(entry["term"], sentence, *entry.span("term"))
    for match in _ABBREVIATION.finditer(sentence):
        if _stands_for(match["term"], sentence[max(0, match.start() - _WINDOW) : match.start()]) and _is_term(match["term"], sentence):
            yield Term(match["term"], sentence, *match.span("term"))


def _is_term(term: str, sentence: str) -> bool:
    words = content_words(term)
    small = len(words) > 0 and word_count(term) <= _LONGEST_TERM and not _NO_TERMS.intersection(words)
    return small and word_count(sentence) - word_count(term) >= _FEWEST_WORDS


def _heading_defined(heading: str) -> re.Pattern[str]:
    """A sentence that opens with the heading and a verb: Withholding tax / "Withholding tax is an amount ..."."""
    return re.compile(rf"\A(?:(?:the|an?|la|les?|un|une|der|die|das)\s+|l['’])?(?P<term>{re.escape(heading)})\s+{_DEFINES}", re.IGNORECASE)


def _stands_for(short: str, before: str) -> bool:
    """Whether the words in front of "(SF)" spell it, by the backward matching of Schwartz and Hearst 2003."""
    if sum(c.isupper() for c in short) < 2:
        return False
    words = before.split()
    letters = [c for c in short.casefold() if c.isalnum()]
    window = " ".join(words[-min(len(letters) + 5, 2 * len(letters)) :]).casefold()
    at = len(window)
    for position, letter in reversed(list(enumerate(letters))):
        at = window.rfind(letter, 0, at)
        while position == 0 and at > 0 and window[at - 1].isalnum():  # the first letter must begin a word
            at = window.rfind(letter, 0, at)
        if at < 0:
            return False
    return True
