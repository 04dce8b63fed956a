"""Clusters of texts that mean the same in other words: cosine similarity of embeddings, every pair compared exactly."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from hatrack.core.errors import CheckFailed
from hatrack.data.duplicates.clusters import clusters
from hatrack.data.duplicates.disjoint import DisjointSets
from hatrack.data.duplicates.views import Picked
from hatrack.data.progress import Progress, silent

__all__ = ["MOST_PARAPHRASES", "Embed", "paraphrase_clusters"]

MOST_PARAPHRASES = 50_000  # distinct texts: at 384 dimensions 77 MB, and about a minute of one core to compare
_BATCH = 1024  # texts embedded at a time
_BLOCK = 512  # rows compared with all later ones at a time
_ROUNDING = 1e-6  # a vector's product with itself, in single precision, falls short of 1 by no more

Embed = Callable[[Sequence[str]], NDArray[np.float32]]  # texts to vectors [texts, dimensions]


def paraphrase_clusters(embed: Embed, texts: Sequence[str], threshold: float, progress: Progress = silent) -> list[int]:
    """A cluster number for each text: the smallest index of a text it is connected to by cosine similarity or equality.

    Merge it with the clusters of ``clusters`` by ``united``.

    Raises:
        CheckFailed: more distinct texts than ``MOST_PARAPHRASES``.
    """
    sets = DisjointSets(len(texts))
    equal = clusters(texts, 1.0, progress)
    firsts = np.flatnonzero(np.asarray(equal, dtype=np.int64) == np.arange(len(texts)))
    if len(firsts) > MOST_PARAPHRASES:
        raise CheckFailed(
            "there are too many texts to compare what they mean",
            given=f"{len(firsts):,} distinct texts",
            allowed=f"at most {MOST_PARAPHRASES:,} with prepare.duplicates.paraphrase",
            fix="leave prepare.duplicates.paraphrase out; near-duplicates are found at any number of rows",
        )
    for i, first in enumerate(equal):
        sets.join(i, first)
    vectors = _unit_vectors(embed, Picked(texts, firsts), progress)
    for start in range(0, len(vectors), _BLOCK):
        block = vectors[start : start + _BLOCK] @ vectors[start:].T
        for i, row in enumerate(block >= threshold - _ROUNDING):
            alike = firsts[start + np.flatnonzero(row)]
            for j in alike[sets.roots(alike) != sets.roots(firsts[start + i : start + i + 1])].tolist():
                sets.join(int(firsts[start + i]), j)
        progress("comparing meanings", min(start + _BLOCK, len(vectors)), len(vectors))
    return sets.names()


def _unit_vectors(embed: Embed, texts: Picked, progress: Progress) -> NDArray[np.float32]:
    parts = []
    for start in range(0, len(texts), _BATCH):
        batch = list(texts[start : start + _BATCH])
        vectors = np.asarray(embed(batch), dtype=np.float32)
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        parts.append(vectors / np.where(lengths > 0, lengths, 1))  # a text without a vector is like nothing
        progress("embedding texts", start + len(batch), len(texts))
    return np.concatenate(parts) if parts else np.empty((0, 1), dtype=np.float32)
