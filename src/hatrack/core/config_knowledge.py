"""What ``knowledge`` and an adapter's ``rag`` may say: documents, how they are cut and found, and who answers from them."""

from __future__ import annotations

import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, field_validator, model_validator

from hatrack.core.config_prepare import PiiPolicy
from hatrack.core.names import NAME_RULE, valid_name
from hatrack.core.strict import Strict

__all__ = [
    "MAIN",
    "ChunkSettings",
    "Collection",
    "CollectionName",
    "KnowledgeSettings",
    "MetadataValue",
    "RagSettings",
    "SearchMode",
    "SearchSettings",
]

MAIN = "main"  # the collection of a project that names none
MetadataValue = str | int | float | bool
SearchMode = Literal["hybrid", "dense", "words"]


def _one_is_a_list(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


def _collection(name: str) -> str:
    if not valid_name(name):
        raise ValueError(f"collections have names of the form {NAME_RULE}, at most 64 characters")
    return name


def _written(value: Any) -> Any:
    """YAML reads 2024-01-01 as a date; metadata hold it as it was written."""
    return value.isoformat() if isinstance(value, datetime.date) else value


CollectionName = Annotated[str, AfterValidator(_collection)]
Texts = Annotated[tuple[str, ...], BeforeValidator(_one_is_a_list)]
Metadata = dict[str, Annotated[MetadataValue, BeforeValidator(_written)]]


class ChunkSettings(Strict):
    """How a document is cut. Sizes are tokens of the embedder."""

    by: Literal["heading", "text", "rows", "whole"] = Field(
        "heading",
        description="heading: never across a heading; text: at the largest unit that fits (paragraph, sentence, word); rows: at lines, "
        "with a table's first row repeated; whole: a document is one chunk, of which the embedder reads the beginning.",
    )
    tokens: int | None = Field(None, ge=16, description="Longest chunk; null: what the embedder reads.")
    overlap: int = Field(0, ge=0, description="Tokens that neighbouring chunks share.")
    parent_tokens: int | None = Field(
        None, ge=32, description="Small chunks are found, and the passage of this size around them is read; null: the chunk itself."
    )
    context: bool = Field(True, description="Put the title and the headings above a chunk before it where it is embedded and searched.")

    @model_validator(mode="after")
    def _sizes_fit(self) -> ChunkSettings:
        if self.tokens is not None and self.overlap >= self.tokens:
            raise ValueError(f"overlap ({self.overlap}) must be smaller than tokens ({self.tokens})")
        if self.tokens is not None and self.parent_tokens is not None and self.parent_tokens <= self.tokens:
            raise ValueError(f"parent_tokens ({self.parent_tokens}) must be larger than tokens ({self.tokens})")
        return self


class SearchSettings(Strict):
    """How passages are found."""

    mode: SearchMode = Field("hybrid", description="dense: by meaning (cosine); words: by BM25; hybrid: both, fused by reciprocal rank.")
    k: int = Field(5, ge=1, le=100, description="Passages that are found.")
    candidates: int = Field(100, ge=1, le=10_000, description="Chunks that each side hands to the fusion.")
    rank_constant: float = Field(
        10, gt=0, description="Reciprocal rank fusion adds 1 / (rank_constant + rank): small, the first ranks count more."
    )
    dense_weight: float = Field(0.5, ge=0, le=1, description="Weight of the ranks by meaning; the ranks by words have the rest.")
    diversity: float = Field(
        0, ge=0, le=1, description="Maximal marginal relevance: 0 takes the best, higher ones pass over what repeats a better one."
    )
    reranker: str | None = Field(
        None,
        description="A cross-encoder that reads the best chunks with the question and orders them anew: a hub id, a path; null: none.",
    )
    rerank: int = Field(30, ge=2, le=1000, description="Chunks that the reranker reads.")


class Collection(Strict):
    """Documents that are searched together."""

    sources: Texts = Field((), description="Files and folders that `hatrack kb add` reads for it, from the project.")
    metadata: Metadata = Field({}, description="Metadata of each of its documents, as country: FR; what a document says itself goes first.")
    tenants: Texts = Field((), description="Whose it is: only requests of these tenants may read it; none: everybody's.")


class KnowledgeSettings(Strict):
    """Documents that answers are taken from."""

    store: str = Field(
        "faiss:///.hatrack/kb", description="Where vectors lie, as a URL: faiss:///FOLDER is from the project, faiss:////FOLDER absolute."
    )
    embedder: str = Field(
        "bundled/all-minilm-l6-v2",
        description="What turns texts into vectors: an encoder (bundled/NAME, a hub id, a path), or KIND:..., see docs/knowledge.md.",
    )
    precision: Literal["fp32", "int8"] = Field(
        "fp32", description="How an encoder computes vectors; int8 is faster and moves them a little, see docs/knowledge.md."
    )
    query_prefix: str | None = Field(None, description="Text before each question for the embedder; null: what the model's own files say.")
    passage_prefix: str | None = Field(None, description="Text before each chunk for the embedder; null: what the model's own files say.")
    language: str = Field(
        "auto", description="Whose stems words are searched by (en, fr, de, ...); auto: what most documents are in; none."
    )
    chunks: ChunkSettings = Field(ChunkSettings(), description="How a document is cut.")
    pii: PiiPolicy = Field(PiiPolicy(), description="Personal data in documents, before they are kept.")
    max_document_mb: float = Field(
        10, gt=0, description="Longest text of one document, in megabytes; longer ones are left out and reported."
    )
    search: SearchSettings = Field(SearchSettings(), description="How passages are found.")
    collections: dict[CollectionName, Collection] = Field(
        {}, validate_default=True, description=f"Collections by name; without this key there is one, called {MAIN}."
    )

    @field_validator("collections")
    @classmethod
    def _there_is_one(cls, value: dict[str, Collection]) -> dict[str, Collection]:
        return value or {MAIN: Collection()}

    def readable(self, tenant: str | None) -> tuple[str, ...]:
        """Collections that a tenant may read, in order; None is the project's owner, who may read all."""
        return tuple(name for name, one in self.collections.items() if tenant is None or not one.tenants or tenant in one.tenants)


class RagSettings(Strict):
    """How an adapter uses knowledge."""

    enabled: bool = Field(True, description="Answer from knowledge also when the request does not ask for it.")
    collections: Annotated[tuple[CollectionName, ...], BeforeValidator(_one_is_a_list)] = Field(
        (), description="Collections that it reads; none: all that the tenant may read."
    )
    filter: dict[str, Any] = Field({}, description="Only documents with these metadata, as {country: FR}; see docs/knowledge.md.")
    k: int | None = Field(None, ge=1, le=100, description="Passages before the question; null: knowledge.search.k.")
    tokens: int = Field(1024, ge=64, description="Most tokens of the prompt that passages may take.")
    rewrite: bool = Field(
        False, description="The adapter first rewrites the conversation as one search query; costs one short answer for each question."
    )
    threshold: float = Field(
        0.3, ge=-1, le=1, description="Cosine similarity to the question that a passage must reach; where none does, nothing is made up."
    )
    not_found: str = Field("That is not in the sources.", description="The answer where no passage reaches the threshold.")
