"""Headings become questions, by their shape and their language. What is quoted stays as it is written, so no grammar is guessed."""

from __future__ import annotations

import re

from hatrack.data.tasks.words import content_words

__all__ = ["question"]

_ASKS = {
    "en": r"who|what|when|where|why|how|which|whose|is|are|do|does|did|can|may|must|should|will",
    "fr": r"qui|que|quoi|quand|où|pourquoi|comment|combien|quel(?:le)?s?|est-ce|qu['’]est-ce|faut-il|peut-on",
    "de": r"wer|was|wann|wo|warum|wieso|wie|welche[rsnm]?|wozu|wohin|darf|muss|kann|ist|sind",
}
_HOW_TO = re.compile(r"how to\s+(.+)", re.IGNORECASE)
# A gerund or an infinitive with its object: without an article behind it, "Housing benefit" would be one too.
_ACTION = {
    "en": re.compile(r"[A-Z][a-z]+ing\s+(?:an?|the|your|my|its|their|this|these)\s.+"),
    "fr": re.compile(r"[^\W\d_]+(?:er|ir|re)\s+(?:(?:l[ea]s?|une?|des|ses?|s[ao]n?|votre|vos|cet?t?e?)\s|l['’]).+"),
}
_ASK_ACTION = {"en": "What does “{title}” say about {lower}?", "fr": "Comment {lower} selon « {title} » ?"}
_ASK_NAME = {
    "en": "What does “{title}” say about “{name}”?",
    "fr": "Que dit « {title} » au sujet de « {name} » ?",
    "de": "Was sagt „{title}“ zu „{name}“?",
}
_MARK = {"en": "?", "fr": " ?", "de": "?"}
_OF = {"en": "“{title}”: {question}", "fr": "« {title} » : {question}", "de": "„{title}“: {question}"}


def question(name: str, title: str, language: str) -> str:
    """The question that a section called ``name`` answers, in English, French or German; another language gets English.

    A question stays as it is, one without its mark gets it, "How to cancel" asks how. Where such a question shares no word
    with the document's title, the title stands before it: "Who may apply?" alone has an answer in every document. An action
    ("Cancelling an order", "Déclarer ses revenus") is asked about as one; any other name is quoted.
    """
    tongue = language if language in _ASK_NAME else "en"
    asked = _asked(name, tongue)
    if asked:
        known = set(content_words(asked)) & set(content_words(title))
        return asked if known else _OF[tongue].format(title=title, question=asked)
    if tongue in _ACTION and _ACTION[tongue].fullmatch(name):
        return _ASK_ACTION[tongue].format(lower=_lower(name), title=title)
    return _ASK_NAME[tongue].format(name=name, title=title)


def _asked(name: str, tongue: str) -> str:
    """The question that the name is already; empty where it is none."""
    if name.endswith(("?", "？")):
        return name
    if tongue == "en" and (how_to := _HOW_TO.fullmatch(name)):
        return f"How do I {_lower(how_to[1])}?"
    if re.match(rf"(?:{_ASKS[tongue]})\s+\S+\s+\S", name, re.IGNORECASE):
        return name + _MARK[tongue]
    return ""


def _lower(name: str) -> str:
    """The first letter small, unless the word is an abbreviation."""
    return name if name[:2].isupper() else name[0].lower() + name[1:]
