"""Stores keep vectors and find the nearest ones; which one, a URL says.

    faiss:///.hatrack/kb          in this process, one file on disk
    qdrant+edge:///.hatrack/kb    Qdrant's engine in this process
    qdrant://host:6333            a Qdrant server
    postgresql://user@host/db     PostgreSQL with pgvector
    pinecone://index-host         a Pinecone index
    weaviate://host:8080          a Weaviate server

Texts do not lie here but in the catalog (``hatrack.rag.catalog``): a store can be made anew from it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import parse_qsl, urlsplit

from hatrack.core.errors import ConfigError, KnowledgeError
from hatrack.core.names import closest
from hatrack.core.plugins import Plugins
from hatrack.models.embedders.base import Vectors
from hatrack.rag.filters import Filter

__all__ = ["STORES", "Found", "Point", "Store", "StoreURL", "open_store", "parse_url", "wrong_dimension"]


@dataclass(frozen=True, slots=True)
class Point:
    """One vector of length one, under the id of its chunk, with what filters see."""

    id: str
    vector: Vectors
    payload: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Found:
    """A point that was found and its inner product with the question."""

    id: str
    score: float


@dataclass(frozen=True)
class StoreURL:
    """A store's URL in its parts. ``shown`` holds no password.

    Attributes:
        folder: for stores on this disk.
    """

    scheme: str
    text: str
    host: str
    port: int | None
    folder: Path
    options: Mapping[str, str]

    @property
    def shown(self) -> str:
        """As it may be printed and kept."""
        parts = urlsplit(self.text)
        user, at, host = parts.netloc.rpartition("@")
        return f"{parts.scheme}://{user.partition(':')[0]}{at}{host}{parts.path}"

    def integer(self, option: str, default: int, least: int = 1) -> int:
        """A number among the options.

        Raises:
            ConfigError: it is none, or too small.
        """
        text = self.options.get(option, str(default))
        if not text.isdigit() or int(text) < least:
            raise ConfigError(f"{option} in the store's URL is no number that can be used", given=text, allowed=f"{least} or more")
        return int(text)

    def only(self, *known: str) -> None:
        """Refuse options that this store does not have.

        Raises:
            ConfigError: with the nearest option.
        """
        for option in self.options:
            if option not in known:
                near = closest(option, known, 1)
                raise ConfigError(
                    f"a {self.scheme} store has no option {option!r}",
                    given=self.shown,
                    allowed=", ".join(known) or "no option",
                    fix=f"did you mean {near[0]}?" if near else "take it out of the URL",
                )


class Store(Protocol):
    """One place for vectors. Safe to be used by several threads. A collection is made by its first point.

    Attributes:
        one_dimension: the place itself has a dimension, and with it every collection.

    Every method raises StoreUnreachable where a server does not answer, and KnowledgeError where it refuses.
    """

    one_dimension: bool

    def put(self, collection: str, points: Sequence[Point]) -> None:
        """Add points, or replace those of the same id. When this returns, they survive the end of the process.

        Raises:
            KnowledgeError: a vector has another dimension than the collection.
        """
        ...

    def remove(self, collection: str, ids: Collection[str]) -> None:
        """Take points away; ids that are not there are no fault."""
        ...

    def search(self, collection: str, vector: Vectors, k: int, where: Filter | None = None) -> list[Found]:
        """The ``k`` points with the largest inner product that match, best first; of an unknown collection, none.

        Raises:
            KnowledgeError: the question has another dimension than the collection.
        """
        ...

    def vectors(self, collection: str, ids: Collection[str]) -> dict[str, Vectors]:
        """The vectors of these ids, as far as they are there."""
        ...

    def count(self, collection: str) -> int:
        """Points in a collection."""
        ...

    def clear(self, collection: str) -> None:
        """Take all points away; the next one may have another dimension."""
        ...

    def prepare(self, collection: str) -> None:
        """Do now what would make the next search slow."""
        ...

    def close(self) -> None:
        """Let go of files and connections."""
        ...


STORES: Plugins[Callable[[StoreURL], Store]] = Plugins(
    "store",
    {
        "faiss": "hatrack.rag.stores.faiss:FaissStore",
        "pinecone": "hatrack.rag.stores.pinecone:PineconeStore",
        "postgresql": "hatrack.rag.stores.postgresql:PostgresStore",
        "qdrant": "hatrack.rag.stores.qdrant:QdrantStore",
        "qdrant+edge": "hatrack.rag.stores.qdrant_edge:QdrantEdgeStore",
        "weaviate": "hatrack.rag.stores.weaviate:WeaviateStore",
    },
)


def open_store(url: str, root: Path) -> Store:
    """The store of a URL; paths with three slashes are meant from ``root``.

    Raises:
        ConfigError: no such store, or an option that it does not have.
        MissingExtra: its client is not installed.
    """
    parsed = parse_url(url, root)
    return STORES.get(parsed.scheme)(parsed)


def parse_url(url: str, root: Path) -> StoreURL:
    """The parts of a store's URL.

    Raises:
        ConfigError: it is none.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise ConfigError(
            "the store is no URL", given=url, allowed="a URL as faiss:///.hatrack/kb", fix="correct knowledge.store"
        ) from error
    if not parts.scheme or "://" not in url:
        raise ConfigError("the store is no URL", given=url, allowed="a URL as faiss:///.hatrack/kb", fix="correct knowledge.store")
    path = parts.path[1:] if parts.path.startswith("/") else parts.path
    return StoreURL(parts.scheme, url, parts.hostname or "", port, root / path, dict(parse_qsl(parts.query)))


def wrong_dimension(collection: str, given: int, allowed: int) -> KnowledgeError:
    """The refusal of a vector that does not fit."""
    return KnowledgeError(
        f"this vector does not fit the collection {collection}",
        given=f"{given} dimensions",
        allowed=f"{allowed} dimensions",
        fix="use the embedder that the collection was made with, or clear it: hatrack kb clear",
    )
