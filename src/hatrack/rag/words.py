"""Finding by words: BM25 over the stems of every chunk of a collection, kept on disk until the collection changes."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from hatrack.core.atomic import staged_folder, write_text
from hatrack.core.errors import ConfigError
from hatrack.core.extras import require
from hatrack.rag.catalog import Catalog

__all__ = ["WordIndex", "open_words"]

_K1, _B = 0.9, 0.4  # what the published BM25 figures of BEIR use
_WORD = re.compile(r"\w+")
_LONGEST = 64  # characters of a word: what is longer is no word
_SAMPLE = 64  # chunks that a language is told by
_ABOUT, _NUMBERS = "about.json", "numbers.npy"
# ISO 639-1 to the Snowball algorithm
STEMMERS = {
    "ar": "arabic", "da": "danish", "de": "german", "el": "greek", "en": "porter", "es": "spanish", "fi": "finnish", "fr": "french",
    "hi": "hindi", "hu": "hungarian", "id": "indonesian", "it": "italian", "nl": "dutch", "no": "norwegian", "pt": "portuguese",
    "ro": "romanian", "ru": "russian", "sv": "swedish", "ta": "tamil", "tr": "turkish",
}  # fmt: skip


class WordIndex:
    """BM25 scores of chunks (Robertson & Zaragoza 2009, Lucene's form)."""

    def __init__(self, index: Any, numbers: np.ndarray, language: str) -> None:
        """``numbers``: of the chunks, ascending, in the order of the index; ``index`` is None without any word."""
        self._index = index
        self._numbers = numbers
        self.language = language
        self._stems = _stemmer(language)

    def search(self, question: str, k: int, allowed: np.ndarray | None = None) -> list[tuple[int, float]]:
        """Numbers and scores of the best chunks that share a word with the question, best first.

        Args:
            allowed: numbers of the only chunks that are looked at, ascending.
        """
        if self._index is None:
            return []
        known = [word for word in self._stems(question) if word in self._index.vocab_dict]
        if not known:
            return []
        scores = self._index.get_scores(known)
        if allowed is not None:
            scores = np.where(np.isin(self._numbers, allowed, assume_unique=True), scores, 0)
        k = min(k, len(scores))
        best = np.argpartition(-scores, k - 1)[:k]
        best = best[np.lexsort((best, -scores[best]))]  # of equal ones the older first: the same answer every time
        return [(int(self._numbers[i]), float(scores[i])) for i in best if scores[i] > 0]

    @classmethod
    def build(cls, chunks: Iterable[tuple[int, str]], language: str) -> WordIndex:
        """Index chunks, given as number and text."""
        bm25s = require("bm25s", extra="knowledge", reason="searching words")
        stems = _stemmer(language)
        vocabulary: dict[str, int] = {}
        numbers: list[int] = []
        rows: list[list[int]] = []
        for number, text in chunks:
            numbers.append(number)
            rows.append([vocabulary.setdefault(word, len(vocabulary)) for word in stems(text)])
        index = None
        if vocabulary:
            index = bm25s.BM25(k1=_K1, b=_B)
            index.index(bm25s.tokenization.Tokenized(ids=rows, vocab=vocabulary), show_progress=False)
        return cls(index, np.array(numbers, dtype=np.int64), language)

    def save(self, folder: Path, about: dict[str, Any]) -> None:
        """Keep it, whole or not at all."""
        with staged_folder(folder) as staging:
            if self._index is not None:
                self._index.save(staging, show_progress=False)
            np.save(staging / _NUMBERS, self._numbers)
            write_text(staging / _ABOUT, json.dumps({**about, "language": self.language, "empty": self._index is None}))

    @classmethod
    def load(cls, folder: Path, about: dict[str, Any]) -> WordIndex | None:
        """What ``save`` kept under the same ``about``; None where it is of another state, or cannot be read."""
        try:
            kept = json.loads((folder / _ABOUT).read_text(encoding="utf-8"))
            if not isinstance(kept, dict) or any(kept.get(key) != value for key, value in about.items()):
                return None
            bm25s = require("bm25s", extra="knowledge", reason="searching words")
            index = None if kept["empty"] else bm25s.BM25.load(folder)
            return cls(index, np.load(folder / _NUMBERS), kept["language"])
        except (OSError, ValueError, KeyError, EOFError):
            return None


def open_words(folder: Path, catalog: Catalog, collection: str, language: str) -> WordIndex:
    """The words of a collection as it is now: read from disk, or made anew and kept.

    Raises:
        ConfigError: no such language. StorageError: the disk refuses.
    """
    if language not in ("auto", "none", *STEMMERS):
        raise ConfigError(
            "knowledge.language has no stemmer",
            given=language,
            allowed=f"auto, none, {', '.join(sorted(STEMMERS))}",
            fix="correct hatrack.yaml",
        )
    about = {"revision": catalog.revision(collection), "asked": language}
    kept = WordIndex.load(folder / collection, about)
    if kept is not None:
        return kept
    made = WordIndex.build(catalog.searched(collection), _language(catalog, collection) if language == "auto" else language)
    made.save(folder / collection, about)
    return made


def _language(catalog: Catalog, collection: str) -> str:
    """What most of the first chunks are in, if it has a stemmer."""
    from collections import Counter
    from itertools import islice

    from hatrack.data.language import language

    counts = Counter(language(text)[0] for _, text in islice(catalog.searched(collection), _SAMPLE))
    found = counts.most_common(1)[0][0] if counts else "none"
    return found if found in STEMMERS else "none"


def _stemmer(language: str) -> Callable[[str], Sequence[str]]:
    """Text to stems, in order."""
    if language == "none":
        return lambda text: [word[:_LONGEST] for word in _WORD.findall(text.lower())]
    snowball = require("Stemmer", extra="knowledge", reason="searching words by their stems").Stemmer(STEMMERS[language])
    stem = lru_cache(100_000)(snowball.stemWord)
    return lambda text: [stem(word[:_LONGEST]) for word in _WORD.findall(text.lower())]
