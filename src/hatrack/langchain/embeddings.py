"""Embeddings as LangChain wants them, by any embedder that a knowledge base can have."""

from __future__ import annotations

from pathlib import Path

from langchain_core.embeddings import Embeddings

from hatrack.core.config_file import read_config
from hatrack.core.project import Project
from hatrack.models.embedders.base import Embedder, open_embedder

__all__ = ["HatrackEmbeddings"]


class HatrackEmbeddings(Embeddings):
    """The embedder of a project, or one that is named.

    Args:
        embedder: as ``knowledge.embedder``; None: what the project's config says.
        project: the project's folder; paths of ``embedder`` are meant from it.

    Raises:
        ConfigError, ModelError: there is none such.
    """

    def __init__(self, embedder: str | None = None, project: str | Path = ".") -> None:
        place = Project(Path(project).absolute())
        if embedder is None:
            known = read_config(place.root).knowledge
            self._embedder: Embedder = open_embedder(
                known.embedder,
                place.base_spec,
                query_prefix=known.query_prefix,
                passage_prefix=known.passage_prefix,
                precision=known.precision,
            )
        else:
            self._embedder = open_embedder(embedder, place.base_spec)

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """Vectors of length one, of what is searched."""
        vectors: list[list[float]] = self._embedder.passages(texts).tolist()
        return vectors

    def embed_query(self, text: str) -> list[float]:
        """The vector of what is asked."""
        vector: list[float] = self._embedder.queries([text])[0].tolist()
        return vector
