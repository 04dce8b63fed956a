"""Rows as vectors: how far apart they lie, how many have a twin, and where they fall on a plane."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import Field

from hatrack.data.quality.record import Basis, Record
from hatrack.data.records import normalised

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["CLOSE", "Embed", "Spread", "Vectors", "plane", "spread", "vectors"]

Embed = Callable[[Sequence[str]], "NDArray[np.float32]"]
"""Texts to unit vectors ``[n, d]``. It may stop early, at its own budget: row i always belongs to text i."""

CLOSE = 0.05  # cosine distance under which two rows say nearly the same
_COMPARED = 5_000  # rows that are compared with each other
_BLOCK = 1_000
_WORDS = 20_000  # most frequent words and pairs of words
_BUCKETS = 2**18  # for the hashes of words
_CHARACTERS = 2_000  # of a text: its beginning says what it is about
_TOPICS = 50  # dimensions that words are reduced to before they are drawn


class Spread(Record):
    """How the rows fill the space of their embeddings. Both figures depend on how many rows are compared."""

    basis: Basis
    source: str = Field(description="What the vectors are of: the encoder's name, or 'words' for TF-IDF.")
    mean_distance: float = Field(description="Mean cosine distance of two rows; 0: all alike, 1: nothing in common.")
    close_share: float = Field(description=f"Rows whose nearest neighbour is within {CLOSE} cosine distance.")


@dataclass(frozen=True)
class Vectors:
    """Rows of unit length, dense ``[n, d]`` or sparse, and what they are of."""

    rows: Any
    source: str

    def __len__(self) -> int:
        return int(self.rows.shape[0])

    def head(self, count: int) -> Vectors:
        """The first rows."""
        return Vectors(self.rows[:count], self.source)


def vectors(texts: Sequence[str], features: int = _WORDS) -> Vectors:
    """TF-IDF of words and pairs of words, for bases that do not embed; sparse, the same for the same texts.

    Words are hashed, so that memory does not grow with the vocabulary; the ``features`` that most texts hold are kept.
    """
    import numpy as np
    from sklearn.feature_extraction.text import HashingVectorizer, TfidfTransformer

    counter = HashingVectorizer(
        preprocessor=_read,
        tokenizer=str.split,
        token_pattern=None,
        ngram_range=(1, 2),
        n_features=_BUCKETS,
        norm=None,
        alternate_sign=False,
    )
    counts = counter.transform(texts)
    texts_with = np.bincount(counts.indices, minlength=_BUCKETS)
    kept = np.sort(np.argsort(-texts_with, kind="stable")[: min(features, np.count_nonzero(texts_with))])
    return Vectors(TfidfTransformer(sublinear_tf=True).fit_transform(counts[:, kept]), "words")


def _read(text: str) -> str:
    return normalised(text[:_CHARACTERS])


def spread(given: Vectors, of: int) -> Spread:
    """Mean distance and near twins among the first rows of a sample."""
    import numpy as np

    head = given.head(_COMPARED)
    n = len(head)
    total = np.asarray(head.rows.sum(axis=0)).ravel().astype(np.float64)
    mean = (float(total @ total) - n) / max(n * (n - 1), 1)
    close = 0
    for start in range(0, n, _BLOCK):
        block = head.rows[start : start + _BLOCK] @ head.rows.T
        similar = np.asarray(block.toarray() if hasattr(block, "toarray") else block)
        similar[np.arange(len(similar)), np.arange(start, start + len(similar))] = -1  # itself
        close += int((similar.max(axis=1) >= 1 - CLOSE).sum())
    distance = min(1.0, max(0.0, 1 - mean))
    return Spread(basis=Basis(rows=n, of=of), source=given.source, mean_distance=distance, close_share=close / max(n, 1))


def plane(given: Vectors, count: int) -> list[tuple[float, float]]:
    """The first ``count`` rows on their two principal axes, scaled to -1 to 1; empty where there is no plane."""
    import numpy as np

    rows = given.head(count).rows
    if rows.shape[0] < 3 or rows.shape[1] < 3:
        return []
    if hasattr(rows, "toarray"):
        from sklearn.decomposition import TruncatedSVD

        rows = TruncatedSVD(min(_TOPICS, rows.shape[1] - 1), random_state=0).fit_transform(rows)
    centred = np.asarray(rows, dtype=np.float64) - rows.mean(axis=0)
    _, axes = np.linalg.eigh(centred.T @ centred)
    axes = axes[:, -1:-3:-1]
    axes = axes * np.sign(axes[np.abs(axes).argmax(axis=0), [0, 1]])  # the solver leaves the direction open
    points = centred @ axes
    return [(round(float(x), 3), round(float(y), 3)) for x, y in points / (np.abs(points).max() or 1.0)]
