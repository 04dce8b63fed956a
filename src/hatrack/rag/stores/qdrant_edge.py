"""The ``qdrant+edge`` store: Qdrant's own engine in this process, a folder for each collection."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hatrack.core.errors import KnowledgeError
from hatrack.core.extras import require
from hatrack.models.embedders.base import Vectors
from hatrack.rag.filters import Filter
from hatrack.rag.stores.base import Found, Point, StoreURL, wrong_dimension
from hatrack.rag.stores.qdrant_filter import qdrant_filter

__all__ = ["QdrantEdgeStore"]


class QdrantEdgeStore:
    """``qdrant+edge:///FOLDER``. One process at a time: the engine keeps a lock on what it has open.

    Raises:
        MissingExtra: the engine is not installed.
    """

    one_dimension = False

    def __init__(self, url: StoreURL) -> None:
        url.only()
        self._engine: Any = require("qdrant_edge", extra="qdrant", reason="a qdrant+edge store")
        self._folder = url.folder / "qdrant"
        self._shards: dict[str, Any] = {}
        self._lock = threading.RLock()

    def put(self, collection: str, points: Sequence[Point]) -> None:
        if not points:
            return
        engine = self._engine
        with self._lock:
            shard = self._shard(collection, len(points[0].vector))
            size = self._size(collection)
            for point in points:
                if len(point.vector) != size:
                    raise wrong_dimension(collection, len(point.vector), size)
            made = [engine.Point(point.id, point.vector.tolist(), _stored(point.payload)) for point in points]
            shard.update(engine.UpdateOperation.upsert_points(made))
            shard.flush()

    def remove(self, collection: str, ids: Collection[str]) -> None:
        with self._lock:
            shard = self._shard(collection)
            if shard is not None and ids:
                shard.update(self._engine.UpdateOperation.delete_points(list(ids)))
                shard.flush()

    def search(self, collection: str, vector: Vectors, k: int, where: Filter | None = None) -> list[Found]:
        engine = self._engine
        with self._lock:
            shard = self._shard(collection)
            if shard is None:
                return []
            if len(vector) != self._size(collection):
                raise wrong_dimension(collection, len(vector), self._size(collection))
            condition = qdrant_filter(where, engine, engine.RangeFloat, _truth)
            request = engine.SearchRequest(engine.Query.Nearest(vector.tolist()), k, filter=condition)
            return [Found(str(one.id), one.score) for one in shard.search(request)]

    def vectors(self, collection: str, ids: Collection[str]) -> dict[str, Vectors]:
        with self._lock:
            shard = self._shard(collection)
            found = shard.retrieve(list(ids), False, True) if shard is not None and ids else []
            return {str(one.id): np.asarray(one.vector, dtype=np.float32) for one in found}

    def count(self, collection: str) -> int:
        with self._lock:
            shard = self._shard(collection)
            return int(shard.count(self._engine.CountRequest())) if shard is not None else 0

    def clear(self, collection: str) -> None:
        with self._lock:
            shard = self._shards.pop(collection, None)
            if shard is not None:
                shard.close()
            shutil.rmtree(self._folder / collection, ignore_errors=True)

    def prepare(self, collection: str) -> None:
        """Build the engine's own index."""
        with self._lock:
            shard = self._shard(collection)
            if shard is not None:
                shard.optimize()

    def close(self) -> None:
        with self._lock:
            for shard in self._shards.values():
                shard.close()
            self._shards.clear()

    def _shard(self, collection: str, size: int | None = None) -> Any:
        """The open shard; with ``size`` it is made, without it is None where there is none."""
        if collection not in self._shards:
            folder, engine = self._folder / collection, self._engine
            try:
                if (folder / _SIZE).is_file():
                    self._shards[collection] = engine.EdgeShard.load(str(folder))
                elif size is None:
                    return None
                else:
                    shutil.rmtree(folder, ignore_errors=True)  # a shard that was killed while it was made
                    folder.mkdir(parents=True)
                    params = engine.EdgeVectorParams(size=size, distance=engine.Distance.Dot)
                    self._shards[collection] = engine.EdgeShard.create(str(folder), engine.EdgeConfig(vectors=params, wal_enabled=True))
                    (folder / _SIZE).write_text(str(size), encoding="utf-8")
            except Exception as error:
                if type(error) is not Exception:  # the engine raises nothing more special
                    raise
                raise _refused(folder, error) from error
        return self._shards[collection]

    def _size(self, collection: str) -> int:
        return int((self._folder / collection / _SIZE).read_text(encoding="utf-8"))


_SIZE = "dimension.txt"  # written last: a folder without it is not whole


def _stored(payload: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _truth(value) if isinstance(value, bool) else value for name, value in payload.items()}


def _truth(value: bool) -> str:
    """The engine's binding takes True in a filter for the number 1; as a text that nobody writes, it is itself."""
    return f"\0{value}"


def _refused(folder: Path, error: Exception) -> KnowledgeError:
    busy = "WouldBlock" in str(error)
    return KnowledgeError(
        "another process has this store open" if busy else "this store cannot be opened",
        given=f"{folder}: {error}",
        allowed="one process at a time" if busy else "",
        fix="wait until it has finished, or use a qdrant:// server" if busy else "hatrack kb clear, then hatrack kb add",
    )
