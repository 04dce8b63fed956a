"""What two questions must have in common before an answer to one may be given to the other.

An embedding does not see the difference between 30 days and 60, between with and without, between aspirin and ibuprofen.
So the guard is the other way round: it names the words that may differ, and every other word must be the same, in the
same order. Numbers, negations, names and dates are then guarded without being recognised, in any language, and so is
whatever nobody thought of. What is lost are true paraphrases; an answer that is computed again is the cheaper mistake.
"""

from __future__ import annotations

import re

__all__ = ["content_words"]

# Words whose presence or absence leaves a question the same. No negation, preposition, question word, tense, duty
# (must, may, should), second or third person: each of those can turn the answer round.
_ASKING = {"do", "can", "could", "would"}
_LIGHT = (
    _ASKING | {"a", "an", "the", "please", "kindly", "thanks", "hello", "hi", "hey", "just", "exactly"} | {"i", "we", "me", "my", "our"}
)
_FRAME = re.compile(
    r"^\W*(?:(?:hello|hi|hey|please)\W+)*"
    r"(?:(?:can|could|would) you (?:please )?(?:tell me|explain to me|explain|show me)|"
    r"(?:please )?(?:tell me|explain to me|explain|show me)|"
    r"i(?: would|'d)? (?:like|want|need) to know|do you know)\b",
    re.IGNORECASE,
)
_SPELLED = {"what's": "what is", "where's": "where is", "who's": "who is", "how's": "how is"}
_APOSTROPHES = str.maketrans({"\u2019": "'", "\u2018": "'", "\u02bc": "'"})
_AROUND = '.,;:!?"()[]\u201c\u201d\u2026'
_ENDS = (".", "!", "?")


def content_words(text: str) -> tuple[str, ...]:
    """The words of a question that must be equal, in their order.

    A word is what white space separates, without the punctuation around it; signs inside and currency stay, so that 2.5
    is not 25 and -5 is not 5. A capital counts beyond the beginning of a sentence: US is not us, May is not may.
    """
    text = text.translate(_APOSTROPHES)
    frame = _FRAME.match(text)
    words = text[frame.end() if frame else 0 :].split()
    asking = [_bare(word).lower() in _ASKING for word in words]
    start = True
    found: list[str] = []
    for place, raw in enumerate(words):
        word = _bare(raw)
        if start and word[1:] == word[1:].lower() and word != "I":
            word = word.lower()
        start = raw.rstrip("\"')]\u201d").endswith(_ENDS)
        # the speaker, or the number: "can I", "I can", not "plan I"
        light = any(asking[max(0, place - 1) : place + 2]) if word == "I" else word in _LIGHT  # lower case: hepatitis A keeps its A
        if word and not light:
            found += _SPELLED.get(word, word).split()
    return tuple(found)


def _bare(raw: str) -> str:
    stripped = raw.strip(_AROUND).strip("'")
    # ".5" begins with its point; what is punctuation only may be an operator or a smiley and stays
    if raw.lstrip("\"'([").startswith(".") and stripped[:1].isdigit():
        return "." + stripped
    return stripped or raw.strip('.,;:!?"')
