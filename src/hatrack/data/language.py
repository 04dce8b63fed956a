"""Which language a text is in: py3langid, with the honesty to say that it does not know."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import cache
from typing import Any

from hatrack.data.records import Example

__all__ = ["UNKNOWN", "language", "language_counts"]

UNKNOWN = "und"  # ISO 639-2: undetermined
_NO_LANGUAGE = "zxx"  # ISO 639-2: no linguistic content; py3langid says so of numbers, markup, identifiers
_SHORTEST = 20
_LONGEST = 4000  # more text does not change the answer, only the time
_LEAST = 0.5


def language(text: str) -> tuple[str, float]:
    """ISO 639-1 code of a text's language and its probability.

    The code is ``und`` where the text has under 20 characters, is no language (numbers, code), or no language reaches
    one half. The probabilities are py3langid's: normalised over all languages, flattened for the length of the text.
    """
    text = text.strip()
    if len(text) < _SHORTEST:
        return UNKNOWN, 0.0
    found, probability = _identifier().classify(text[:_LONGEST])
    known = probability >= _LEAST and found != _NO_LANGUAGE
    return found if known else UNKNOWN, float(probability)


def language_counts(examples: Sequence[Example], sample: int = 1000) -> dict[str, int]:
    """How many rows are in which language, the most frequent first, on ``sample`` rows spread evenly over all of them."""
    step = max(1, len(examples) / max(1, sample))
    rows = [examples[int(i * step)] for i in range(min(len(examples), sample))]
    counts = Counter(language(_words(example))[0] for example in rows)
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def _words(example: Example) -> str:
    spoken = [turn.content for turn in example.messages if turn.role != "system"]
    return "\n".join(spoken or [example.text])


@cache
def _identifier() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
