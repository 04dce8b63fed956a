"""The ``faiss`` store: points in SQLite, FAISS in memory, made from them.

    put ──► SQLite, committed ──► counts from here on
    search ──► is the index as new as SQLite? if not, the rows that are missing are added ──► FAISS

So there is no moment in which a kill loses a point or leaves an index that disagrees. An exact index is read from SQLite as
fast as from a file of its own and has none. A graph takes minutes to build, so it is kept beside the points under the
number of its last row, whole or not at all, and what came later is added when it is opened.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

from hatrack.models.embedders.base import Vectors
from hatrack.rag.filters import Filter
from hatrack.rag.stores.base import Found, Point, StoreURL, wrong_dimension
from hatrack.rag.stores.points import Points
from hatrack.rag.stores.vector_index import VectorIndex

__all__ = ["FaissStore"]

GRAPH_FROM = 300_000  # points; below it an exact search takes about 30 ms on one core
_FILTERS = 64  # that are remembered for a collection
_WASTED, _GROWN = 0.25, 0.1  # shares after which a graph is built anew, and is kept again


@dataclass
class _Open:
    """A collection in memory. ``kept``: rows of the graph on disk."""

    index: VectorIndex
    revision: int = 0
    kept: int = 0
    filters: OrderedDict[str, Any] = field(default_factory=OrderedDict)


class FaissStore:
    """``faiss:///FOLDER?graph_from=300000``. Several processes may share the folder.

    Raises:
        StorageError: the folder cannot be used. ConfigError: an option that is none.
    """

    one_dimension = False

    def __init__(self, url: StoreURL) -> None:
        url.only("graph_from")
        self._folder = url.folder
        self._graph_from = url.integer("graph_from", GRAPH_FROM, 0)
        self._points = Points(url.folder)
        self._open: dict[str, _Open] = {}
        self._lock = threading.RLock()

    def put(self, collection: str, points: Sequence[Point]) -> None:
        with self._lock:
            if points:
                self._points.put(collection, points)

    def remove(self, collection: str, ids: Collection[str]) -> None:
        with self._lock:
            if ids:
                self._points.remove(collection, ids)

    def search(self, collection: str, vector: Vectors, k: int, where: Filter | None = None) -> list[Found]:
        with self._lock:
            state = self._points.state(collection)
            if state is None:
                return []
            dimension, revision = state
            if len(vector) != dimension:
                raise wrong_dimension(collection, len(vector), dimension)
            opened = self._current(collection, dimension, revision)
            rows = opened.index.search(vector, k, None if where is None else self._allowed(collection, opened, where))
            ids = self._points.ids([number for number, _ in rows])
            return [Found(ids[number], score) for number, score in rows if number in ids]

    def vectors(self, collection: str, ids: Collection[str]) -> dict[str, Vectors]:
        with self._lock:
            return self._points.vectors(collection, ids)

    def count(self, collection: str) -> int:
        with self._lock:
            return self._points.count(collection)

    def clear(self, collection: str) -> None:
        with self._lock:
            self._points.clear(collection)
            self._open.pop(collection, None)

    def prepare(self, collection: str) -> None:
        """Build a graph, where there are enough points for one. An exact index is read when it is first searched."""
        with self._lock:
            state = self._points.state(collection)
            if state is not None and self._points.count(collection) >= self._graph_from:
                self._current(collection, *state)

    def close(self) -> None:
        with self._lock:
            self._points.close()
            self._open.clear()

    def _current(self, collection: str, dimension: int, revision: int) -> _Open:
        opened = self._open.get(collection)
        if opened is not None and opened.revision == revision:
            return opened
        numbers = self._points.numbers(collection)
        graph = len(numbers) >= self._graph_from
        if opened is None or opened.index.graph != graph or opened.index.dimension != dimension:
            kept = VectorIndex.load(self._folder / "graphs" / collection, dimension) if graph else None
            opened = _Open(kept or VectorIndex(dimension, graph=graph), kept=len(kept.numbers) if kept else 0)
        opened.index.keep_only(numbers)
        if opened.index.wasted > _WASTED:
            opened = _Open(VectorIndex(dimension, graph=graph))
        last = int(opened.index.numbers[-1]) if len(opened.index.numbers) else 0
        while (batch := self._points.after(collection, last, dimension)) is not None:
            opened.index.add(*batch)
            last = int(batch[0][-1])
        opened.revision = revision
        opened.filters.clear()
        self._open[collection] = opened
        if graph and len(opened.index.numbers) > opened.kept * (1 + _GROWN):
            opened.index.save(self._folder / "graphs" / collection)
            opened.kept = len(opened.index.numbers)
        return opened

    def _allowed(self, collection: str, opened: _Open, where: Filter) -> Any:
        """Rows that match: asked of SQLite once, then remembered until something changes."""
        key = repr(where)  # 1 and True are equal and not the same
        if key not in opened.filters:
            opened.filters[key] = opened.index.allow(self._points.numbers(collection, where))
            if len(opened.filters) > _FILTERS:
                opened.filters.popitem(last=False)
        opened.filters.move_to_end(key)
        return opened.filters[key]
