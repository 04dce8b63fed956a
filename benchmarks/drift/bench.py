"""Drift on real questions: are windows like the reference left alone, and is another kind of question found, at any share?

Reference: 1,000 banking77 training messages, embedded by all-MiniLM-L6-v2. Windows of 200 other training messages: 100 draws,
each of reference and window; then 20 windows each in which 5 to 100 % of the messages are medical questions. Windows of test
messages are shown too: the test set has as many messages of each of its 77 intents and the training set has not, so they are
not quite like the reference.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from pathlib import Path

import numpy as np

from hatrack.data.language import language
from hatrack.evaluation.drift.compare import compare
from hatrack.evaluation.drift.sample import Sample
from hatrack.models.embedder import TextEmbedder
from hatrack.models.loading import open_base

SEED = 5
POOL, REFERENCE, WINDOW, DRAWS, DRIFTED = 4000, 1000, 200, 100, 20
SHARES = (0.05, 0.1, 0.2, 0.5, 1.0)


def texts(path: Path, field: str) -> list[str]:
    return [json.loads(line)[field] for line in path.read_text(encoding="utf-8").splitlines()]


class Pool:
    """Texts with what is known of each, computed once."""

    def __init__(self, found: list[str], embed: TextEmbedder) -> None:
        self.lengths = np.array([len(text) for text in found], float)
        self.vectors = embed(found)
        self.languages = [language(text)[0] for text in found]
        self.fingerprint = embed.fingerprint

    def sample(self, chosen: list[int]) -> Sample:
        spoken = Counter(self.languages[i] for i in chosen)
        return Sample(self.lengths[chosen], self.vectors[chosen], np.empty(0), spoken, {}, self.fingerprint)


def joined(a: Sample, b: Sample) -> Sample:
    return Sample(
        np.concatenate([a.lengths, b.lengths]), np.concatenate([a.vectors, b.vectors]), np.empty(0),
        Counter(a.languages) + Counter(b.languages), {}, a.embedder,
    )  # fmt: skip


def run(data: Path, work: Path) -> dict[str, float]:
    embed = TextEmbedder(open_base("bundled/all-minilm-l6-v2"))
    rng = random.Random(SEED)
    train, test = (texts(data / f"finance/banking77/{part}.jsonl", "text") for part in ("train", "test"))
    rng.shuffle(train)
    own = Pool([*train[:POOL], *test], embed)
    other = Pool(texts(data / "medical/medquad/test.jsonl", "question"), embed)
    reference = own.sample(list(range(REFERENCE)))
    places, balanced = range(REFERENCE, POOL), range(POOL, POOL + len(test))

    def flagged(window: Sample, before: Sample = reference) -> bool:
        return compare(before, window, "banking77", 0.01, "holm").drifted

    def same() -> bool:
        drawn = rng.sample(range(POOL), REFERENCE + WINDOW)
        return flagged(own.sample(drawn[REFERENCE:]), own.sample(drawn[:REFERENCE]))

    claims: dict[str, float] = {
        "same_flagged_of_100": sum(same() for _ in range(DRAWS)),
        "balanced_flagged_of_100": sum(flagged(own.sample(rng.sample(balanced, WINDOW))) for _ in range(DRAWS)),
    }
    for share in SHARES:
        count = round(share * WINDOW)
        found = [
            flagged(joined(own.sample(rng.sample(places, WINDOW - count)), other.sample(rng.sample(range(len(other.lengths)), count))))
            for _ in range(DRIFTED)
        ]
        claims[f"mixed_{round(100 * share)}_found"] = round(float(np.mean(found)), 3)
    return claims
