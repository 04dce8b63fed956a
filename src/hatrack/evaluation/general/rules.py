"""Instructions whose fulfilment a rule can verify, after the idea of IFEval (Zhou et al. 2023, arXiv:2311.07911); written anew.

Each rule takes the answer and one value, and says whether the answer obeys.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

__all__ = ["RULES", "obeys"]

_WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")
_SENTENCE = re.compile(r"[^.!?]*[^\s.!?][^.!?]*[.!?]+(?=\s|$)|[^.!?\s][^.!?]*$")
_BULLET = re.compile(r"(?m)^\s*[-*•]\s+\S")
_NUMBERED = re.compile(r"(?m)^\s*\d+[.)]\s+\S")


def _words(text: str) -> int:
    return len(_WORD.findall(text))


def _holds(text: str, word: str) -> int:
    return len(re.findall(rf"(?<!\w){re.escape(word)}(?!\w)", text, re.IGNORECASE))


def _paragraphs(text: str) -> int:
    return len([part for part in re.split(r"\n\s*\n", text.strip()) if part.strip()])


def _json(text: str, keys: list[str]) -> bool:
    bare = re.sub(r"^```(?:json)?\s*|\s*```$", "", text.strip())
    try:
        value = json.loads(bare)
    except (ValueError, RecursionError):
        return False
    return isinstance(value, dict) and all(key in value for key in keys)


RULES: dict[str, Callable[[str, Any], bool]] = {
    "words_at_least": lambda text, n: _words(text) >= n,
    "words_at_most": lambda text, n: 0 < _words(text) <= n,
    "words_exactly": lambda text, n: _words(text) == n,
    "sentences_exactly": lambda text, n: len(_SENTENCE.findall(text.strip())) == n,
    "sentences_at_most": lambda text, n: 0 < len(_SENTENCE.findall(text.strip())) <= n,
    "paragraphs_exactly": lambda text, n: _paragraphs(text) == n,
    "bullets_exactly": lambda text, n: len(_BULLET.findall(text)) == n,
    "numbered_exactly": lambda text, n: len(_NUMBERED.findall(text)) == n,
    "lines_exactly": lambda text, n: len([line for line in text.splitlines() if line.strip()]) == n,
    "holds": lambda text, word: _holds(text, word) > 0,
    "holds_times": lambda text, pair: _holds(text, pair[0]) >= pair[1],
    "without": lambda text, word: _words(text) > 0 and _holds(text, word) == 0,
    "without_letter": lambda text, letter: _words(text) > 0 and letter.casefold() not in text.casefold(),
    "without_commas": lambda text, _: _words(text) > 0 and "," not in text,
    "without_digits": lambda text, _: _words(text) > 0 and not re.search(r"\d", text),
    "lower_case": lambda text, _: _words(text) > 0 and text == text.lower(),
    "upper_case": lambda text, _: _words(text) > 0 and text == text.upper(),
    "begins_with": lambda text, start: text.strip().casefold().startswith(start.casefold()),
    "ends_with": lambda text, end: text.strip().casefold().endswith(end.casefold()),
    "in_quotes": lambda text, _: len(text.strip()) > 2 and text.strip()[0] in "\"“'" and text.strip()[-1] in "\"”'",
    "one_of": lambda text, words: text.strip().strip(".!\"'").casefold() in {word.casefold() for word in words},
    "json_with": _json,
    "title": lambda text, _: re.search(r"<<[^<>\n]+>>", text) is not None,
}


def obeys(answer: str, rules: dict[str, Any]) -> bool:
    """Whether the answer obeys all rules, by name and value."""
    return all(RULES[name](answer, value) for name, value in rules.items())
