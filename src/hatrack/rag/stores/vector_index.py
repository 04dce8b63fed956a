"""One collection in memory: FAISS beside the numbers of its rows. Exact below a size, a graph above it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from hatrack.core.atomic import staged_folder
from hatrack.core.extras import require
from hatrack.models.embedders.base import Vectors
from hatrack.rag.stores.points import Numbers

__all__ = ["VectorIndex"]

_LINKS, _BUILD, _SEARCH = 16, 80, 128  # HNSW (Malkov & Yashunin 2016): M, efConstruction, efSearch
_EXACT = 0.1  # share of rows below which a filter is searched without the graph: it would be lost in what is filtered out
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

    def keep_only(self, numbers: Numbers) -> None:
        """Every row whose number is not among these is gone."""
        gone = ~np.isin(self.numbers, numbers, assume_unique=True)
        if self.graph:  # a graph without some of its nodes would fall apart: they stay as ways to others
            self._dead = gone
        elif gone.any():
            self._index.remove_ids(self._faiss.IDSelectorBatch(np.flatnonzero(gone)))
            self.numbers, self._dead = self.numbers[~gone], self._dead[~gone]

    @property
    def wasted(self) -> float:
        """Share of rows that are only ways to others."""
        return float(self._dead.mean()) if len(self._dead) else 0.0

    def allow(self, numbers: Numbers) -> Any:
        """What ``search`` takes to look at these rows only."""
        mask = np.isin(self.numbers, numbers, assume_unique=True) & ~self._dead
        return _Allowed(self._faiss, mask)

    def search(self, vector: Vectors, k: int, allowed: _Allowed | None = None) -> list[tuple[int, float]]:
        """Numbers and inner products of the nearest rows, best first."""
        k = min(k, len(self.numbers))
        if not k:
            return []
        if allowed is None and self._dead.any():
            allowed = _Allowed(self._faiss, ~self._dead)
        selector = allowed.selector if allowed else None
        question = np.ascontiguousarray(vector, dtype=np.float32)[None]
        if self.graph and not (allowed and allowed.share < _EXACT):
            options = self._faiss.SearchParametersHNSW(efSearch=max(_SEARCH, 2 * k), sel=selector)
            scores, rows = self._index.search(question, k, params=options)
        else:
            flat = self._faiss.downcast_index(self._index.storage) if self.graph else self._index
            options = self._faiss.SearchParameters(sel=selector) if selector is not None else None
            scores, rows = flat.search(question, k, params=options)
        found = rows[0] >= 0
        return list(zip(self.numbers[rows[0][found]].tolist(), scores[0][found].tolist(), strict=True))

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


class _Allowed:
    """A bitmap of rows, and what FAISS reads it by."""

    def __init__(self, faiss: Any, mask: np.ndarray) -> None:
        self._bits = np.packbits(mask, bitorder="little")  # FAISS keeps a pointer into it
        self.selector = faiss.IDSelectorBitmap(len(mask), faiss.swig_ptr(self._bits))
        self.share = float(mask.mean()) if len(mask) else 0.0
