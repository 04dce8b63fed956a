"""The ``faiss`` store: points in SQLite, FAISS in memory, made from them.

    put ──► SQLite, committed ──► counts from here on
    search ──► is the index as new as SQLite? if not, the rows that are missing are added ──► FAISS ──► ids, from memory

So there is no moment in which a kill loses a point or leaves an index that disagrees. An exact index is read from SQLite as
fast as from a file of its own and has none. A graph takes minutes to build, so it is kept beside the points under the
number of its last row, whole or not at all, and what came later is added when it is opened.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import numpy as np

from hatrack.models.embedders.base import Vectors
from hatrack.rag.filters import Filter
from hatrack.rag.stores.base import Found, Point, StoreURL, wrong_dimension
from hatrack.rag.stores.points import Numbers, Points
from hatrack.rag.stores.vector_index import Allowed, VectorIndex

__all__ = ["FaissStore"]

GRAPH_FROM = 300_000  # points; below it an exact search takes about 30 ms on one core
_FILTERS, _COPIED = 64, 0.25  # filters that are remembered for a collection, and share of its rows that they may hold copies of
_WASTED, _GROWN = 0.25, 0.1  # shares after which a graph is built anew, and is kept again


@dataclass
class _Open:
    """A collection in memory.

    Attributes:
        numbers, ids: of all its points, in the order of their numbers.
        kept: rows of the graph on disk.
    """

    index: VectorIndex
    revision: int = 0
    kept: int = 0
    numbers: Numbers = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    ids: list[str] = field(default_factory=list)
    filters: OrderedDict[str, Allowed] = field(default_factory=OrderedDict)


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
            opened = self._open.get(collection)
            if opened is None or opened.revision != revision:
                opened = self._current(collection)
            if opened is None or not len(opened.ids):
                return []
            if len(vector) != opened.index.dimension:  # another process has cleared and filled it meanwhile
                raise wrong_dimension(collection, len(vector), opened.index.dimension)
            numbers, scores = opened.index.search(vector, k, None if where is None else self._allowed(collection, opened, where))
            places = opened.numbers.searchsorted(numbers).tolist()
            return [Found(opened.ids[place], score) for place, score in zip(places, scores.tolist(), strict=True)]

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
            if self._points.state(collection) is not None and self._points.count(collection) >= self._graph_from:
                self._current(collection)

    def close(self) -> None:
        with self._lock:
            self._points.close()
            self._open.clear()

    def _current(self, collection: str) -> _Open | None:
        """The collection as it is now; None where there is none any more."""
        with self._points.snapshot():  # ids, numbers and vectors of one moment, or an id would name another's vector
            state = self._points.state(collection)
            opened = None if state is None else self._read(collection, *state)
        if opened is None:
            self._open.pop(collection, None)
            return None
        self._open[collection] = opened
        if opened.index.graph and len(opened.index.numbers) > opened.kept * (1 + _GROWN):
            opened.index.save(self._folder / "graphs" / collection)
            opened.kept = len(opened.index.numbers)
        return opened

    def _read(self, collection: str, dimension: int, revision: int) -> _Open:
        numbers, ids = self._points.named(collection)
        graph = len(numbers) >= self._graph_from
        opened = self._open.get(collection)
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
        opened.revision, opened.numbers, opened.ids = revision, numbers, ids
        opened.filters.clear()
        return opened

    def _allowed(self, collection: str, opened: _Open, where: Filter) -> Allowed:
        """Rows that match: asked of SQLite once, then remembered until something changes."""
        key = repr(where)  # 1 and True are equal and not the same
        found = opened.filters.get(key)
        if found is not None:
            opened.filters.move_to_end(key)
            return found
        found = opened.filters[key] = opened.index.allow(self._points.numbers(collection, where))
        most = _COPIED * len(opened.numbers)
        while len(opened.filters) > _FILTERS or (len(opened.filters) > 1 and sum(len(a.numbers) for a in opened.filters.values()) > most):
            opened.filters.popitem(last=False)
        return found
