"""Words and pieces of words, weighted by TF-IDF: what the classical approaches look at."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hatrack.data.records import Example

__all__ = ["asked_text", "labels_and_texts", "vocabulary_bytes", "word_features"]


def asked_text(example: Example) -> str:
    """What a classical model reads of a row: the text, or of a conversation its last question."""
    return example.messages[-2].content if len(example.messages) > 1 else example.text


def labels_and_texts(rows: Sequence[Example]) -> tuple[list[str], list[str]]:
    """Both columns of rows that may lie on disk, read once."""
    pairs = [(example.label, example.text) for example in rows]
    return [label for label, _ in pairs], [text for _, text in pairs]


def word_features(most: int | None = None) -> Any:
    """A transformer of texts ``[n]`` to a sparse matrix ``[n, features]``: words, pairs of words and runs of letters.

    ``most`` keeps the most frequent words alone, for models that take long over many columns.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.pipeline import make_union

    if most is not None:
        return TfidfVectorizer(sublinear_tf=True, max_features=most)
    return make_union(
        TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True),
        TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4), sublinear_tf=True, min_df=2),
    )


def vocabulary_bytes(features: Any) -> int:
    """What words and their weights take on disk."""
    parts = [part for _, part in getattr(features, "transformer_list", [("", features)])]
    return sum(len(word.encode()) + 12 for part in parts for word in part.vocabulary_)
