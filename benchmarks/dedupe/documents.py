"""20,000 documents of real sentences, some of them copies with known edits.

16,000 documents share no sentence. 2,000 are edited copies of one of them with a Jaccard similarity of at least
THRESHOLD, 2,000 are edited copies a little below it: what a search by hashes must not miss, and must not take.
"""

from __future__ import annotations

import json
import random
import re
from dataclasses import dataclass
from pathlib import Path

from hatrack.data.duplicates.shingles import shingles
from hatrack.data.records import normalised

SEED = 13
THRESHOLD = 0.9
BELOW = 0.8
UNRELATED, COPIES = 16_000, 2_000
SOURCES = {
    "medical/scifact/corpus.jsonl": "text",
    "legal/cuad_clauses/train.jsonl": "text",
    "legal/cuad_clauses/test.jsonl": "text",
    "legal/fr_tax/corpus.jsonl": "text",
    "medical/medquad/train.jsonl": "answer",
    "medical/pubmedqa/train.jsonl": "context",
    "medical/pubmedqa/test.jsonl": "context",
    "legal/in_rhetorical_roles/train.jsonl": "text",
}
SENTENCE = re.compile(r"(?<=[.;:!?])\s+")


@dataclass(frozen=True)
class Documents:
    """Texts in random order; ``copies`` and ``close`` are pairs of indices, at or above and just below the threshold."""

    texts: list[str]
    copies: list[tuple[int, int]]
    close: list[tuple[int, int]]


def similarity(a: str, b: str) -> float:
    x, y = shingles(normalised(a)), shingles(normalised(b))
    return len(x & y) / len(x | y)


def documents(data: Path) -> Documents:
    rng = random.Random(SEED)
    plain = unrelated(data, rng)
    words = sorted({word for text in rng.sample(plain, 2000) for word in text.split()})
    edited = rng.sample(range(len(plain)), 2 * COPIES)
    copies = [edit(plain[i], words, THRESHOLD, 1.0, rng) for i in edited[:COPIES]]
    close = [edit(plain[i], words, BELOW, THRESHOLD, rng) for i in edited[COPIES:]]
    texts = [*plain, *copies, *close]
    place = list(range(len(texts)))
    rng.shuffle(place)  # place[i]: where text i stands
    pairs = [tuple(sorted((place[i], place[len(plain) + n]))) for n, i in enumerate(edited)]
    ordered = [""] * len(texts)
    for i, text in enumerate(texts):
        ordered[place[i]] = text
    return Documents(ordered, pairs[:COPIES], pairs[COPIES:])


def unrelated(data: Path, rng: random.Random) -> list[str]:
    """Documents of 40 to 160 words, each of shuffled sentences of one source; every sentence is used once."""
    found: list[str] = []
    for name, field in SOURCES.items():
        sentences: dict[str, str] = {}
        with (data / name).open(encoding="utf-8") as stream:
            for line in stream:
                for sentence in SENTENCE.split(json.loads(line)[field]):
                    if 6 <= len(sentence.split()) <= 60:
                        sentences.setdefault(normalised(sentence), sentence)
        pool = list(sentences.values())
        rng.shuffle(pool)
        taken: list[str] = []
        wanted = rng.randint(40, 120)
        for sentence in pool:
            taken.append(sentence)
            if sum(len(one.split()) for one in taken) >= wanted:
                found.append(" ".join(taken))
                taken, wanted = [], rng.randint(40, 120)
    if len(found) < UNRELATED:
        raise SystemExit(f"the data sets give {len(found)} documents, {UNRELATED} are needed")
    return rng.sample(found, UNRELATED)


def edit(text: str, words: list[str], least: float, below: float, rng: random.Random) -> str:
    """A copy with words exchanged, put in and left out, and other case and punctuation: ``least`` <= similarity < ``below``."""
    while True:
        parts, kept = text.split(), text
        for _ in range(rng.randint(1, 12)):
            at = rng.randrange(len(parts))
            kind = rng.choice(("exchange", "insert", "delete", "surface"))
            if kind == "exchange":
                parts[at] = rng.choice(words)
            elif kind == "insert":
                parts.insert(at, rng.choice(words))
            elif kind == "delete":
                del parts[at]
            else:
                parts[at] = rng.choice((parts[at].upper(), parts[at] + ",", f"({parts[at]})"))
            if similarity(text, " ".join(parts)) < least:
                break
            kept = " ".join(parts)
        if least <= similarity(text, kept) < below:
            return kept
