"""What travels through retrieval: documents, their chunks, and what is found of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Chunk", "Document", "Part", "Passage"]


@dataclass(frozen=True, slots=True)
class Part:
    """Text below one heading. ``level`` counts from 1; 0 is text without a heading."""

    heading: str
    level: int
    text: str


@dataclass(frozen=True, slots=True)
class Document:
    """One document as it was read.

    Attributes:
        source: what it is called in answers: its file, with ``#ID`` for a row of a file of rows.
        file: the file it comes from.
        metadata: what filters see; ``valid_from`` and ``valid_to`` are numbers, see ``hatrack.rag.metadata``.
    """

    source: str
    file: str
    title: str
    parts: tuple[Part, ...]
    metadata: Mapping[str, Any] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Characters of text."""
        return sum(len(part.text) for part in self.parts)


@dataclass(frozen=True, slots=True)
class Chunk:
    """What is embedded and found.

    Attributes:
        head: title and headings above it; empty where they are not to count.
        passage: number of the larger passage it lies in; None where it is read itself.
    """

    head: str
    text: str
    passage: int | None = None

    @property
    def searched(self) -> str:
        """What embedder and words see."""
        return f"{self.head}\n{self.text}" if self.head else self.text


@dataclass(frozen=True, slots=True)
class Passage:
    """What was found: text to read, where it comes from, and why it stands where it stands.

    Attributes:
        id: of the chunk.
        text: the passage to read: the chunk, or the larger text around it.
        score: of the fusion; only comparable within one search.
        similarity: cosine of question and chunk.
        dense_rank, word_rank: its place on either side, from 1; None where that side did not find it.
        word_score: BM25.
        rerank_score: what the reranker says of the chunk; None where it did not read it.
    """

    id: str
    collection: str
    source: str
    title: str
    head: str
    text: str
    metadata: Mapping[str, Any]
    score: float
    similarity: float
    dense_rank: int | None = None
    word_rank: int | None = None
    word_score: float | None = None
    rerank_score: float | None = None
