"""One collection in memory: FAISS beside the numbers of its rows. Exact below a size, a graph above it.

A filter that keeps few rows has them copied side by side: looking at one row in forty where they lie costs ten times as much.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from hatrack.core.atomic import staged_folder
from hatrack.core.extras import require
from hatrack.models.embedders.base import Vectors
from hatrack.rag.stores.points import Numbers

__all__ = ["Allowed", "VectorIndex"]

_LINKS, _BUILD, _SEARCH = 16, 80, 128  # HNSW (Malkov & Yashunin 2016): M, efConstruction, efSearch
_NARROW = 0.1  # share of rows below which a filter is searched in a copy of them; a graph would be lost in what is filtered out
_GRAPH, _ROWS = "graph.faiss", "numbers.npy"


class VectorIndex:
    """Rows with inner product as similarity. ``numbers`` is ascending, dead rows of a graph included."""

    def __init__(self, dimension: int, *, graph: bool) -> None:
        faiss: Any = require("faiss", extra="knowledge", reason="searching vectors")
        self._faiss = faiss
        faiss.omp_set_num_threads(1)  # with torch's own threads beside it, more are slower
        self.dimension, self.graph = dimension, graph
        self.numbers: Numbers = np.empty(0, dtype=np.int64)
        self._dead = np.empty(0, dtype=bool)
        self._alive: Allowed | None = None  # where some are dead, those that are not
        self._index: Any = faiss.IndexFlatIP(dimension)
        if graph:
            self._index = faiss.IndexHNSWFlat(dimension, _LINKS, faiss.METRIC_INNER_PRODUCT)
            self._index.hnsw.efConstruction = _BUILD

    def add(self, numbers: Numbers, vectors: Vectors) -> None:
        """Add rows with larger numbers than all before."""
        self._faiss.omp_set_num_threads((os.cpu_count() or 1) if self.graph else 1)
        self._index.add(np.ascontiguousarray(vectors, dtype=np.float32))
        self._faiss.omp_set_num_threads(1)
        self.numbers = np.concatenate([self.numbers, numbers])
        self._dead = np.concatenate([self._dead, np.zeros(len(numbers), dtype=bool)])
        self._look_at_the_living()

    def keep_only(self, numbers: Numbers) -> None:
        """Every row whose number is not among these is gone."""
        gone = ~np.isin(self.numbers, numbers, assume_unique=True)
        if self.graph:  # a graph without some of its nodes would fall apart: they stay as ways to others
            self._dead = gone
            self._look_at_the_living()
        elif gone.any():
            self._index.remove_ids(self._faiss.IDSelectorBatch(np.flatnonzero(gone)))
            self.numbers, self._dead = self.numbers[~gone], self._dead[~gone]

    @property
    def wasted(self) -> float:
        """Share of rows that are only ways to others."""
        return float(self._dead.mean()) if len(self._dead) else 0.0

    def allow(self, numbers: Numbers) -> Allowed:
        """What ``search`` takes to look at these rows only."""
        return self._allowed(np.isin(self.numbers, numbers, assume_unique=True) & ~self._dead)

    def search(self, vector: Vectors, k: int, allowed: Allowed | None = None) -> tuple[Numbers, Vectors]:
        """Numbers and inner products of the nearest rows, best first."""
        allowed = allowed or self._alive
        index, numbers, options = self._index, self.numbers, None
        if allowed is not None and allowed.copy is not None:
            index, numbers = allowed.copy, allowed.numbers
        elif self.graph:
            options = self._faiss.SearchParametersHNSW(efSearch=max(_SEARCH, 2 * k), sel=allowed.selector if allowed else None)
        elif allowed is not None:
            options = allowed.options
        k = min(k, len(numbers))
        if not k:
            return numbers[:0], np.empty(0, dtype=np.float32)
        scores, rows = index.search(np.ascontiguousarray(vector, dtype=np.float32)[None], k, params=options)
        best, found = scores[0], rows[0]
        if found[-1] < 0:  # fewer than asked for: FAISS fills up with -1
            best, found = best[found >= 0], found[found >= 0]
        return numbers[found], best

    def _allowed(self, mask: np.ndarray) -> Allowed:
        if not len(mask) or mask.mean() >= _NARROW:
            return Allowed(self._faiss, mask)
        rows = np.flatnonzero(mask)
        copy = self._faiss.IndexFlatIP(self.dimension)
        if len(rows):
            stored = self._faiss.downcast_index(self._index.storage) if self.graph else self._index
            copy.add(stored.reconstruct_batch(rows))
        return Allowed(self._faiss, mask, copy, self.numbers[rows])

    def _look_at_the_living(self) -> None:
        self._alive = self._allowed(~self._dead) if self._dead.any() else None

    def save(self, folder: Path) -> None:
        """Keep a graph, whole or not at all.

        Raises:
            StorageError: the disk refuses.
        """
        with staged_folder(folder) as staging:
            self._faiss.write_index(self._index, str(staging / _GRAPH))
            np.save(staging / _ROWS, self.numbers)

    @classmethod
    def load(cls, folder: Path, dimension: int) -> VectorIndex | None:
        """What ``save`` kept; None where there is nothing, or nothing that can be used: it is made anew from the points."""
        index = cls(dimension, graph=True)
        try:
            index._index = index._faiss.read_index(str(folder / _GRAPH))
            index.numbers = np.load(folder / _ROWS)
        except (OSError, RuntimeError, ValueError, EOFError):
            return None
        if index._index.d != dimension or index._index.ntotal != len(index.numbers):
            return None
        index._dead = np.zeros(len(index.numbers), dtype=bool)
        return index


class Allowed:
    """Some rows of an index: few of them as a copy, many as a bitmap over all.

    Attributes:
        copy, numbers: the rows side by side, and their numbers; None and nothing where they are many.
        options: for a search in an exact index. ``selector``: for one in a graph.
    """

    def __init__(self, faiss: Any, mask: np.ndarray, copy: Any = None, numbers: Numbers | None = None) -> None:
        self.copy = copy
        self.numbers: Numbers = np.empty(0, dtype=np.int64) if numbers is None else numbers
        self.selector: Any = None
        self.options: Any = None
        if copy is None:
            self._bits = np.packbits(mask, bitorder="little")  # FAISS keeps a pointer into it
            self.selector = faiss.IDSelectorBitmap(len(mask), faiss.swig_ptr(self._bits))
            self.options = faiss.SearchParameters(sel=self.selector)
