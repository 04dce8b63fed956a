"""Finding passages: by meaning and by words, fused, only what may be seen and is valid on the day asked.

question ─┬─► embedder ─► store ──────┐
          │                           ├─► reciprocal ranks ─► diversity ─► passages, with the reasons
          └─► stems ────► BM25 ───────┘               └─► a reranker reads the best again, where the config names one
   filter and date hold on both sides
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from hatrack.core.config_knowledge import SearchMode
from hatrack.core.errors import KnowledgeError
from hatrack.models.embedders.base import Vectors
from hatrack.rag.catalog import ChunkRow
from hatrack.rag.filters import Filter, both, check_fields, parse_filter, valid_on
from hatrack.rag.fuse import diverse, reciprocal_ranks
from hatrack.rag.knowledge import KnowledgeBase
from hatrack.rag.records import Chunk, Passage
from hatrack.rag.words import WordIndex, open_words

__all__ = ["Query", "Retriever"]

_REMEMBERED = 32  # filters whose chunks are remembered, for words


@dataclass(frozen=True)
class Query:
    """What is looked for.

    Attributes:
        where: a filter, see ``hatrack.rag.filters``.
        as_of: only documents that are valid on this day (2024-01-31); None: all.
        mode, k: None: as the config says.
    """

    text: str
    collections: tuple[str, ...]
    where: Mapping[str, Any] = field(default_factory=dict)
    as_of: str | None = None
    mode: SearchMode | None = None
    k: int | None = None


@dataclass
class _Side:
    """What one collection gave: scores of chunks by each side, best first, and the cosine of every one of them."""

    dense: dict[str, float]
    words: dict[str, float]
    similar: dict[str, float]
    rows: dict[str, ChunkRow]
    vectors: dict[str, Vectors]


class Retriever:
    """Searches one knowledge base. Not thread-safe.

    Raises:
        EmbedderChanged: the vectors are from another embedder.
    """

    def __init__(self, kb: KnowledgeBase) -> None:
        kb.check()
        self._kb = kb
        self._settings = kb.settings.search
        self._words: dict[str, tuple[int, WordIndex]] = {}
        self._matching: dict[tuple[str, int, str], np.ndarray] = {}

    def search(self, query: Query) -> list[Passage]:
        """The passages for a question, best first. Each passage is given once, however many of its chunks were found.

        Raises:
            KnowledgeError: no such collection, no filter, a field that no document has.
            StoreUnreachable, ProviderError: a server does not answer.
        """
        where = parse_filter(query.where)
        known: set[str] = set()
        for collection in map(self._kb.known, query.collections):
            known |= self._kb.catalog.fields(collection) if where else set()
        if where and known:  # an empty knowledge base has no fields, and nothing to find
            check_fields(where, known)
        if query.as_of is not None:
            where = both(where, valid_on(query.as_of))
        if not query.text.strip():
            raise KnowledgeError("there is nothing to look for", given=repr(query.text), allowed="a question, or some words")
        if not any(self._kb.catalog.revision(name) for name in query.collections):
            raise KnowledgeError("no document has been added yet", given=", ".join(query.collections), fix="run `hatrack kb add PATH`")
        mode = query.mode or self._settings.mode
        vector = self._kb.embedder.queries([query.text])[0]
        sides = {name: self._side(name, query.text, vector, where, mode) for name in query.collections}
        order = self._fused(sides)
        again = self._read_again(query.text, sides, list(order))
        return self._passages(sides, order, again, query.k or self._settings.k)

    def _side(self, collection: str, text: str, vector: Vectors, where: Filter | None, mode: SearchMode) -> _Side:
        count = self._settings.candidates
        dense: dict[str, float] = {}
        if mode != "words":
            dense = {one.id: one.score for one in self._kb.store.search(collection, vector, count, where)}
        rows = self._kb.catalog.chunks(collection, ids=list(dense)) if dense else {}
        words: dict[str, float] = {}
        if mode != "dense":
            numbers = dict(self._word_index(collection).search(text, count, self._allowed(collection, where)))
            found = self._kb.catalog.chunks(collection, numbers=list(numbers)) if numbers else {}
            words = {row.id: numbers[row.number] for row in found.values()}
            words = dict(sorted(words.items(), key=lambda item: (-item[1], found[item[0]].number)))
            rows |= found
        dense = {one: score for one, score in dense.items() if one in rows}  # others are between two states
        vectors = self._kb.store.vectors(collection, rows)
        similar = {one: float(vectors[one] @ vector) for one in rows if one in vectors}
        return _Side(dense, words, similar, rows, vectors)

    def _fused(self, sides: Mapping[str, _Side]) -> dict[str, float]:
        """Chunks in their order, and what the fusion gives them."""
        settings = self._settings
        dense, words = (_ranked(some) for some in _sides(sides))
        rankings = [(settings.dense_weight if words else 1.0, dense), (1 - settings.dense_weight if dense else 1.0, words)]
        scores = reciprocal_ranks([(weight, ids) for weight, ids in rankings if ids and weight], settings.rank_constant)
        vectors = {one: side.vectors[one] for side in sides.values() for one in side.rows if one in scores and one in side.vectors}
        return {one: scores[one] for one in diverse(scores, vectors, len(scores), settings.diversity)}

    def _read_again(self, text: str, sides: Mapping[str, _Side], order: list[str]) -> dict[str, float]:
        """What the reranker says of the first chunks, best first; nothing where there is none."""
        reranker = self._kb.reranker
        first = order[: self._settings.rerank]
        if reranker is None or not first:
            return {}
        rows = {one: row for side in sides.values() for one, row in side.rows.items()}
        scores = reranker.scores(text, [Chunk(rows[one].head, rows[one].text).searched for one in first])
        told = {one: float(score) for one, score in zip(first, scores, strict=True)}
        return dict(sorted(told.items(), key=lambda item: -item[1]))  # of equal ones, the order of the fusion stays

    def _passages(self, sides: Mapping[str, _Side], scores: Mapping[str, float], again: Mapping[str, float], k: int) -> list[Passage]:
        """The first ``k`` passages; what the reranker read goes before what it did not."""
        homes = {one: name for name, side in sides.items() for one in side.rows}
        place = [{one: i for i, one in enumerate(_ranked(some), 1)} for some in _sides(sides)]
        passages: dict[tuple[str, str], Passage] = {}
        for one in (*again, *(one for one in scores if one not in again)):
            side, row = sides[homes[one]], sides[homes[one]].rows[one]
            if (row.source, row.passage) in passages or len(passages) == k:
                continue
            passages[row.source, row.passage] = Passage(
                id=one,
                collection=homes[one],
                source=row.source,
                title=row.title,
                head=row.head,
                text=row.passage,
                metadata=row.metadata,
                score=scores[one],
                similarity=side.similar.get(one, 0.0),
                dense_rank=place[0].get(one),
                word_rank=place[1].get(one),
                word_score=side.words.get(one),
                rerank_score=again.get(one),
            )
        return list(passages.values())

    def _word_index(self, collection: str) -> WordIndex:
        revision = self._kb.catalog.revision(collection)
        kept = self._words.get(collection)
        if kept is None or kept[0] != revision:
            index = open_words(self._kb.folder / "words", self._kb.catalog, collection, self._kb.settings.language)
            kept = self._words[collection] = (revision, index)
        return kept[1]

    def _allowed(self, collection: str, where: Filter | None) -> np.ndarray | None:
        """Chunks whose documents match: asked of the catalog once, then remembered until something changes."""
        if where is None:
            return None
        key = (collection, self._kb.catalog.revision(collection), repr(where))
        if key not in self._matching:
            if len(self._matching) >= _REMEMBERED:
                self._matching.clear()
            self._matching[key] = np.array(self._kb.catalog.matching(collection, where), dtype=np.int64)
        return self._matching[key]


def _sides(sides: Mapping[str, _Side]) -> tuple[list[dict[str, float]], list[dict[str, float]]]:
    """What was found by meaning and what by words, of each collection."""
    return [side.dense for side in sides.values()], [side.words for side in sides.values()]


def _ranked(scores: Sequence[Mapping[str, float]]) -> list[str]:
    """Ids of all collections from the best on."""
    pairs = [item for some in scores for item in some.items()]
    return [one for one, _ in sorted(pairs, key=lambda item: -item[1])]
