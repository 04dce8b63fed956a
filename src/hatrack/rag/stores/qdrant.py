"""The ``qdrant`` store: a Qdrant server, by its own client over HTTP."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from hatrack.core.errors import KnowledgeError, StoreUnreachable
from hatrack.core.extras import require
from hatrack.models.embedders.base import Vectors
from hatrack.rag.filters import Filter
from hatrack.rag.stores.base import Found, Point, StoreURL, wrong_dimension
from hatrack.rag.stores.qdrant_filter import qdrant_filter

__all__ = ["QdrantStore"]

_PORT = 6333
_SECONDS = 30
_KEY = "QDRANT_API_KEY"


class QdrantStore:
    """``qdrant://HOST:6333?https=1&prefix=hatrack-``; a key is read from the environment variable QDRANT_API_KEY.

    Raises:
        ConfigError: an option that it does not have. MissingExtra: the client is not installed.
    """

    one_dimension = False

    def __init__(self, url: StoreURL) -> None:
        url.only("https", "prefix", "timeout")
        client = require("qdrant_client", extra="qdrant", reason="a qdrant store")
        self._words: Any = client.models
        self._host = f"{url.host or 'localhost'}:{url.port or _PORT}"
        self._prefix = url.options.get("prefix", "hatrack-")
        self._sizes: dict[str, int] = {}
        self._client: Any = client.QdrantClient(
            url=f"{'https' if url.integer('https', 0, 0) else 'http'}://{self._host}",
            api_key=os.environ.get(_KEY) or None,
            timeout=url.integer("timeout", _SECONDS),
            check_compatibility=False,  # it would ask the server at once, and print
        )

    def put(self, collection: str, points: Sequence[Point]) -> None:
        if not points:
            return
        words, name = self._words, self._prefix + collection
        with self._errors():
            size = self._size(collection)
            if size is None:
                size = len(points[0].vector)
                params = words.VectorParams(size=size, distance=words.Distance.DOT)
                self._client.create_collection(name, vectors_config=params)
            for point in points:
                if len(point.vector) != size:
                    raise wrong_dimension(collection, len(point.vector), size)
            made = [words.PointStruct(id=p.id, vector=p.vector.tolist(), payload=dict(p.payload)) for p in points]
            self._client.upsert(name, points=made, wait=True)

    def remove(self, collection: str, ids: Collection[str]) -> None:
        with self._errors():
            if ids and self._size(collection) is not None:
                chosen = self._words.PointIdsList(points=list(ids))
                self._client.delete(self._prefix + collection, points_selector=chosen, wait=True)

    def search(self, collection: str, vector: Vectors, k: int, where: Filter | None = None) -> list[Found]:
        with self._errors():
            size = self._size(collection)
            if size is None:
                return []
            if len(vector) != size:
                raise wrong_dimension(collection, len(vector), size)
            answer = self._client.query_points(
                self._prefix + collection,
                query=vector.tolist(),
                limit=k,
                query_filter=qdrant_filter(where, self._words, self._words.Range),
                with_payload=False,
            )
            return [Found(str(one.id), one.score) for one in answer.points]

    def vectors(self, collection: str, ids: Collection[str]) -> dict[str, Vectors]:
        with self._errors():
            if not ids or self._size(collection) is None:
                return {}
            found = self._client.retrieve(self._prefix + collection, ids=list(ids), with_payload=False, with_vectors=True)
            return {str(one.id): np.asarray(one.vector, dtype=np.float32) for one in found}

    def count(self, collection: str) -> int:
        with self._errors():
            return 0 if self._size(collection) is None else int(self._client.count(self._prefix + collection, exact=True).count)

    def clear(self, collection: str) -> None:
        with self._errors():
            self._client.delete_collection(self._prefix + collection)
            self._sizes.pop(collection, None)

    def prepare(self, collection: str) -> None:
        """The server does it by itself."""

    def close(self) -> None:
        self._client.close()

    def _size(self, collection: str) -> int | None:
        """Dimension of a collection; None where there is none. Others may clear it: only one that is there is remembered."""
        if collection not in self._sizes:
            name = self._prefix + collection
            if not self._client.collection_exists(name):
                return None
            self._sizes[collection] = int(self._client.get_collection(name).config.params.vectors.size)
        return self._sizes[collection]

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """The client's errors as Hatrack says them; its key stands in none of them."""
        failures = require("qdrant_client.http.exceptions", extra="qdrant", reason="a qdrant store")
        try:
            yield
        except failures.ResponseHandlingException as error:
            raise StoreUnreachable(
                "the Qdrant server does not answer", given=f"{self._host}: {error}", fix="look at the server and at knowledge.store"
            ) from error
        except failures.UnexpectedResponse as error:
            said = (error.content or b"").decode("utf-8", "replace")[:200]
            if error.status_code is not None and error.status_code >= 500:
                raise StoreUnreachable(
                    "the Qdrant server fails", given=f"{self._host}: HTTP {error.status_code}: {said}", fix="look at the server's log"
                ) from error
            raise KnowledgeError(
                "the Qdrant server refuses",
                given=f"{self._host}: HTTP {error.status_code}: {said}",
                allowed=f"a key in {_KEY} where the server asks for one",
                fix="look at the server and at its key",
            ) from error
