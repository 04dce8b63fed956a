"""The ``pinecone`` store: one Pinecone index by the address of its host; a collection is a namespace in it."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any

import numpy as np

from hatrack.core.errors import ConfigError, KnowledgeError, StoreUnreachable
from hatrack.core.extras import require
from hatrack.models.embedders.base import Vectors
from hatrack.rag.filters import AllOf, AnyOf, Filter, NoneOf, OneOf, Range
from hatrack.rag.stores.base import Found, Point, StoreURL, wrong_dimension

__all__ = ["PineconeStore"]

_KEY = "PINECONE_API_KEY"
_BATCH = 100  # points in one request
_OPPOSITE = {"gt": "$lte", "gte": "$lt", "lt": "$gte", "lte": "$gt"}


class PineconeStore:
    """``pinecone://INDEX-HOST``; the key is read from the environment variable PINECONE_API_KEY.

    The index is made in Pinecone's console, with the metric dotproduct or cosine and the embedder's dimension. Pinecone shows
    what was written after a moment, not at once.

    Raises:
        ConfigError: no key, no host, or an option that it does not have. MissingExtra: the client is not installed.
    """

    one_dimension = True

    def __init__(self, url: StoreURL) -> None:
        url.only("insecure")
        self._client: Any = require("pinecone", extra="pinecone", reason="a pinecone store")
        key = os.environ.get(_KEY, "").strip()
        if not key or not url.host:
            raise ConfigError(
                "a pinecone store needs the host of its index and a key",
                given=f"{url.shown}, {_KEY} {'set' if key else 'not set'}",
                allowed="pinecone://INDEX-HOST, as Pinecone's console shows it",
                fix=f"export {_KEY}=...",
            )
        self._host = f"{url.host}:{url.port}" if url.port else url.host
        scheme = "http" if url.integer("insecure", 0, 0) else "https"
        self._index: Any = self._client.Pinecone(api_key=key).index(host=f"{scheme}://{self._host}")
        self._dimension = 0

    def put(self, collection: str, points: Sequence[Point]) -> None:
        with self._errors():
            for point in points:
                self._fits(collection, point.vector)
            rows = iter(points)
            while batch := list(islice(rows, _BATCH)):
                made = [{"id": p.id, "values": p.vector.tolist(), "metadata": _stored(p.payload)} for p in batch]
                self._index.upsert(vectors=made, namespace=collection, show_progress=False)

    def remove(self, collection: str, ids: Collection[str]) -> None:
        with self._errors():
            rows = iter(ids)
            while batch := list(islice(rows, _BATCH)):
                self._index.delete(ids=batch, namespace=collection)

    def search(self, collection: str, vector: Vectors, k: int, where: Filter | None = None) -> list[Found]:
        with self._errors():
            self._fits(collection, vector)
            condition = None if where is None else _condition(where)
            answer = self._index.query(vector=vector.tolist(), top_k=k, namespace=collection, filter=condition)
            return [Found(str(one.id), float(one.score)) for one in answer.matches]

    def vectors(self, collection: str, ids: Collection[str]) -> dict[str, Vectors]:
        found: dict[str, Vectors] = {}
        with self._errors():
            rows = iter(ids)
            while batch := list(islice(rows, _BATCH)):
                answer = self._index.fetch(ids=batch, namespace=collection)
                found |= {str(one): np.asarray(row.values, dtype=np.float32) for one, row in answer.vectors.items()}
        return found

    def count(self, collection: str) -> int:
        with self._errors():
            known = self._index.describe_index_stats().namespaces
            return int(known[collection].vector_count) if collection in known else 0

    def clear(self, collection: str) -> None:
        with self._errors():
            self._index.delete(delete_all=True, namespace=collection)

    def prepare(self, collection: str) -> None:
        """The service does it by itself."""

    def close(self) -> None:
        self._index.close()

    def _fits(self, collection: str, vector: Vectors) -> None:
        if not self._dimension:
            self._dimension = int(self._index.describe_index_stats().dimension or 0)
        if len(vector) != self._dimension:
            raise wrong_dimension(collection, len(vector), self._dimension)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """The client's errors as Hatrack says them; a namespace that is not there is an empty one."""
        failures = self._client.errors
        try:
            yield
        except failures.NotFoundError:
            pass
        except (failures.PineconeConnectionError, failures.PineconeTimeoutError, failures.ServiceError) as error:
            raise StoreUnreachable(
                "the Pinecone index does not answer",
                given=f"{self._host}: {_line(error)}",
                fix="look at the network and at knowledge.store",
            ) from error
        except failures.PineconeError as error:
            raise KnowledgeError(
                "the Pinecone index refuses",
                given=f"{self._host}: {_line(error)}",
                allowed=f"a key in {_KEY} that may write",
                fix="look at the key",
            ) from error


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]


def _kind(value: Any) -> str:
    return "b" if isinstance(value, bool) else "s" if isinstance(value, str) else "n"


def _stored(payload: Mapping[str, Any]) -> dict[str, Any]:
    """Each kind of value under a name of its own: then a filter is about one kind, and its opposite can be said."""
    return {f"{name}__{_kind(value)}": value for name, value in payload.items()}


def _condition(where: Filter) -> dict[str, Any]:
    match where:
        case OneOf(field, values):
            return _any([{f"{field}__{kind}": {"$in": some}} for kind, some in _by_kind(values).items()])
        case Range(field):
            bounds = {f"${name}": limit for name in _OPPOSITE if (limit := getattr(where, name)) is not None}
            return {f"{field}__n": bounds}
        case AllOf(parts):
            return {"$and": [_condition(part) for part in parts]}
        case AnyOf(parts):
            return _any([_condition(part) for part in parts])
        case NoneOf(part):
            return _opposite(part)


def _opposite(where: Filter) -> dict[str, Any]:
    """What does not hold: Pinecone has no "not", so it is carried down to the single comparisons."""
    match where:
        case OneOf(field, values):
            kinds = _by_kind(values)
            return {"$and": [_any([{f"{field}__{k}": {"$nin": some}}, {f"{field}__{k}": {"$exists": False}}]) for k, some in kinds.items()]}
        case Range(field):
            bounds = [(sign, getattr(where, name)) for name, sign in _OPPOSITE.items() if getattr(where, name) is not None]
            return _any([{f"{field}__n": {"$exists": False}}, *({f"{field}__n": {sign: limit}} for sign, limit in bounds)])
        case AllOf(parts):
            return _any([_opposite(part) for part in parts])
        case AnyOf(parts):
            return {"$and": [_opposite(part) for part in parts]}
        case NoneOf(part):
            return _condition(part)


def _any(conditions: list[dict[str, Any]]) -> dict[str, Any]:
    return conditions[0] if len(conditions) == 1 else {"$or": conditions}


def _by_kind(values: Sequence[Any]) -> dict[str, list[Any]]:
    kinds: dict[str, list[Any]] = {}
    for value in values:
        kinds.setdefault(_kind(value), []).append(value)
    return kinds
