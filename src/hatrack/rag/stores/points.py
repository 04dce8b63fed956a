"""Vectors and payloads on disk: one SQLite file under the FAISS store; what is committed here is what the store holds."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from hatrack.models.embedders.base import Vectors
from hatrack.rag.filters import Filter
from hatrack.rag.sql import sqlite_condition
from hatrack.rag.sqlite import open_database, transaction
from hatrack.rag.stores.base import Point, wrong_dimension

__all__ = ["Numbers", "Points"]

Numbers = np.ndarray  # int64, ascending
_BATCH = 20_000  # rows in memory twice while they are read
_SCHEMA = """
CREATE TABLE IF NOT EXISTS collections (name TEXT PRIMARY KEY, dimension INTEGER NOT NULL, revision INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS points (
    number INTEGER PRIMARY KEY AUTOINCREMENT, collection TEXT NOT NULL, id TEXT NOT NULL, payload TEXT NOT NULL, vector BLOB NOT NULL
);
CREATE UNIQUE INDEX IF NOT EXISTS points_id ON points (collection, id);
CREATE INDEX IF NOT EXISTS points_number ON points (collection, number);
"""


class Points:
    """Not thread-safe. Numbers are never used twice, so a larger one is always a newer point."""

    def __init__(self, folder: Path) -> None:
        self._db: sqlite3.Connection = open_database(folder / "vectors.db", _SCHEMA)

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Everything that is read within is of one moment, whatever other processes commit meanwhile."""
        self._db.execute("BEGIN")
        try:
            yield
        finally:
            self._db.execute("COMMIT")

    def state(self, collection: str) -> tuple[int, int] | None:
        """Dimension and revision; None for an unknown or a cleared collection. The revision rises with every change."""
        row = self._db.execute("SELECT dimension, revision FROM collections WHERE name = ?", (collection,)).fetchone()
        return (int(row[0]), int(row[1])) if row and row[0] else None

    def put(self, collection: str, points: Sequence[Point]) -> None:
        """See ``Store.put``."""
        dimension = len(points[0].vector)
        with transaction(self._db) as db:
            known = self.state(collection)
            db.execute(
                "INSERT INTO collections VALUES (?, ?, 1) ON CONFLICT DO UPDATE SET revision = revision + 1, "
                "dimension = iif(dimension, dimension, excluded.dimension)",
                (collection, dimension),
            )
            for point in points:
                if len(point.vector) != (known[0] if known else dimension):
                    raise wrong_dimension(collection, len(point.vector), known[0] if known else dimension)
            db.executemany("DELETE FROM points WHERE collection = ? AND id = ?", ((collection, point.id) for point in points))
            db.executemany(
                "INSERT INTO points (collection, id, payload, vector) VALUES (?, ?, ?, ?)",
                ((collection, p.id, json.dumps(dict(p.payload)), np.asarray(p.vector, "<f4").tobytes()) for p in points),
            )

    def remove(self, collection: str, ids: Collection[str]) -> None:
        """See ``Store.remove``."""
        with transaction(self._db) as db:
            db.executemany("DELETE FROM points WHERE collection = ? AND id = ?", ((collection, one) for one in ids))
            db.execute("UPDATE collections SET revision = revision + 1 WHERE name = ?", (collection,))

    def clear(self, collection: str) -> None:
        """See ``Store.clear``."""
        with transaction(self._db) as db:
            db.execute("DELETE FROM points WHERE collection = ?", (collection,))
            db.execute("UPDATE collections SET revision = revision + 1, dimension = 0 WHERE name = ?", (collection,))

    def count(self, collection: str) -> int:
        """Points in a collection."""
        return int(self._db.execute("SELECT count(*) FROM points WHERE collection = ?", (collection,)).fetchone()[0])

    def numbers(self, collection: str, where: Filter | None = None) -> Numbers:
        """Of all points that match."""
        condition, parameters = sqlite_condition(where, "payload")
        query = f"SELECT number FROM points WHERE collection = ? AND {condition} ORDER BY number"  # noqa: S608 - words of our own
        return np.fromiter((number for (number,) in self._db.execute(query, (collection, *parameters))), dtype=np.int64)

    def named(self, collection: str) -> tuple[Numbers, list[str]]:
        """Numbers and ids of all points."""
        numbers, ids = [], []
        for number, one in self._db.execute("SELECT number, id FROM points WHERE collection = ? ORDER BY number", (collection,)):
            numbers.append(number)
            ids.append(one)
        return np.array(numbers, dtype=np.int64), ids

    def after(self, collection: str, number: int, dimension: int) -> tuple[Numbers, Vectors] | None:
        """The next points behind a number, some thousands at most; None behind the last."""
        query = "SELECT number, vector FROM points WHERE collection = ? AND number > ? ORDER BY number LIMIT ?"
        rows = self._db.execute(query, (collection, number, _BATCH)).fetchall()
        if not rows:
            return None
        vectors = np.frombuffer(b"".join(row[1] for row in rows), dtype="<f4").reshape(len(rows), dimension)
        return np.array([row[0] for row in rows], dtype=np.int64), vectors

    def vectors(self, collection: str, ids: Collection[str]) -> dict[str, Vectors]:
        """See ``Store.vectors``."""
        query = "SELECT id, vector FROM points WHERE collection = ? AND id IN (SELECT value FROM json_each(?))"
        rows = self._db.execute(query, (collection, json.dumps(sorted(ids)))).fetchall()
        return {one: np.frombuffer(vector, dtype="<f4") for one, vector in rows}
