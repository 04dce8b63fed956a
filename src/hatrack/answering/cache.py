"""Finished answers, given again to the very same request: one SQLite file, shared by threads and processes.

Readers and the one writing thread have a connection each, and the file keeps a write-ahead log, so that neither a slow
disk nor a busy neighbour holds up a request. Whatever goes wrong here is a warning, once, and the answer is computed.
"""

from __future__ import annotations

import hashlib
import logging
import os
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from hatrack.answering.kept import CacheFigures, Found, KeptAnswer, Near
from hatrack.core.errors import StorageError

__all__ = ["AnswerCache"]

_log = logging.getLogger(__name__)
_PENDING = 1000  # writes that may wait; more are dropped: keeping an answer is never worth a delay
_OVERHEAD = 300  # bytes of a row besides its value: keys, times, indexes
_BROKEN = (sqlite3.Error, OSError, ValueError, TypeError)
# The total is kept by the file itself: several processes add and remove.
_SCHEMA = """
CREATE TABLE IF NOT EXISTS answers (
    key TEXT PRIMARY KEY, near TEXT, tenant TEXT NOT NULL, digest TEXT NOT NULL, value BLOB NOT NULL, seal BLOB NOT NULL,
    vector BLOB, size INTEGER NOT NULL, created REAL NOT NULL, used REAL NOT NULL, hits INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS answers_near ON answers (near) WHERE near IS NOT NULL;
CREATE INDEX IF NOT EXISTS answers_used ON answers (used);
CREATE INDEX IF NOT EXISTS answers_created ON answers (created);
CREATE TABLE IF NOT EXISTS total (one INTEGER PRIMARY KEY CHECK (one = 1), bytes INTEGER NOT NULL);
INSERT OR IGNORE INTO total VALUES (1, 0);
CREATE TRIGGER IF NOT EXISTS answers_in AFTER INSERT ON answers BEGIN UPDATE total SET bytes = bytes + new.size; END;
CREATE TRIGGER IF NOT EXISTS answers_out AFTER DELETE ON answers BEGIN UPDATE total SET bytes = bytes - old.size; END;
"""


class AnswerCache:
    """Keeps answers for ``ttl`` seconds, in at most ``max_bytes``. Thread-safe; on a request's way it never raises."""

    def __init__(self, path: Path, *, ttl: float, max_bytes: float, now: Callable[[], float] = time.time) -> None:
        self._path = path
        self._ttl = ttl
        self._max_bytes = max_bytes
        self._now = now
        self._lock = threading.Lock()
        self._warned = False
        self._seen: Counter[str] = Counter()
        self._pending = threading.BoundedSemaphore(_PENDING)
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="hatrack-cache")
        self._reading: sqlite3.Connection | None = None
        self._writing: sqlite3.Connection | None = None
        try:
            self._open()
        except _BROKEN as error:
            self._warn(error)

    def get(self, key: str, near: Near | None = None) -> Found | None:
        """The answer to this very request or, with ``near``, to another wording of it."""
        found: Found | None = None
        try:
            found = self._same(key) or (self._alike(near) if near else None)
        except _BROKEN as error:
            self._warn(error)
        with self._lock:
            self._seen["misses" if found is None else "near_hits" if found.near else "hits"] += 1
        return found

    def put(self, key: str, answer: KeptAnswer, *, tenant: str, digest: str, near: Near | None = None) -> None:
        """Keep an answer, soon, in the writing thread."""
        value, now = answer.encode(), self._now()
        vector = near.vector.astype("<f4").tobytes() if near else None
        size = len(value) + len(vector or b"") + _OVERHEAD
        row = (key, near.key if near else None, tenant, digest, value, _seal(key, value), vector, size, now, now)
        if size <= self._max_bytes:
            self._later(lambda connection: self._keep(connection, row))

    def clear(self, *, tenant: str | None = None, digest: str | None = None) -> None:
        """Forget the answers of a tenant, of an adapter's version, or all; returns when they are gone.

        Raises:
            StorageError: the file cannot be written.
        """
        # one statement each way; the conditions are off where nothing is given
        query = "DELETE FROM answers WHERE (?1 IS NULL OR tenant = ?1) AND (?2 IS NULL OR digest = ?2)"
        connection = self._writing
        try:
            if connection is not None:
                self._writer.submit(connection.execute, query, (tenant, digest)).result()
        except sqlite3.Error as error:
            raise StorageError("kept answers cannot be removed", given=f"{self._path}: {error}", fix="delete the file") from error

    def figures(self) -> CacheFigures:
        """What the file holds, and what this process has seen."""
        held: tuple[int, int] = (0, 0)
        try:
            held = next(iter(self._read("SELECT (SELECT count(*) FROM answers), bytes FROM total")), held)
        except _BROKEN as error:
            self._warn(error)
        with self._lock:
            return CacheFigures(*held, self._seen["hits"], self._seen["near_hits"], self._seen["misses"])

    def flush(self) -> None:
        """Wait until all that was to be kept is kept."""
        self._writer.submit(lambda: None).result()

    def close(self) -> None:
        """Finish what waits, and close the file."""
        self._writer.shutdown(wait=True)
        with self._lock:
            for connection in filter(None, (self._reading, self._writing)):
                connection.close()
            self._reading = self._writing = None

    def _open(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(self._path, os.O_CREAT | os.O_RDWR, 0o600))  # answers are nobody else's to read
        self._writing = sqlite3.connect(self._path, timeout=2, isolation_level=None, check_same_thread=False)
        for pragma in ("journal_mode = WAL", "synchronous = NORMAL", "secure_delete = ON", "journal_size_limit = 16000000"):
            self._writing.execute(f"PRAGMA {pragma}")
        self._writing.executescript(_SCHEMA)
        self._reading = sqlite3.connect(self._path, timeout=0.05, isolation_level=None, check_same_thread=False)
        self._reading.execute("PRAGMA query_only = ON")

    def _same(self, key: str) -> Found | None:
        query = "SELECT key, value, seal FROM answers WHERE key = ? AND created > ?"
        rows = self._read(query, key, self._now() - self._ttl)
        return Found(self._opened(*rows[0]), near=False) if rows else None

    def _alike(self, near: Near) -> Found | None:
        query = "SELECT vector, key, value, seal FROM answers WHERE near = ? AND created > ?"
        rows = self._read(query, near.key, self._now() - self._ttl)
        ranked = [(float(np.frombuffer(vector, "<f4") @ near.vector), kept) for vector, *kept in rows]
        similarity, kept = max(ranked, key=lambda pair: pair[0], default=(-1.0, []))
        return Found(self._opened(*kept), near=True) if similarity >= near.similarity else None

    def _opened(self, key: str, value: bytes, seal: bytes) -> KeptAnswer:
        if _seal(key, value) != seal:
            raise ValueError("a kept answer is damaged")
        now = self._now()
        self._later(lambda connection: connection.execute("UPDATE answers SET used = ?, hits = hits + 1 WHERE key = ?", (now, key)))
        return KeptAnswer.decode(value)

    def _read(self, query: str, *values: object) -> list[Any]:
        with self._lock:
            return self._reading.execute(query, values).fetchall() if self._reading else []

    def _keep(self, connection: sqlite3.Connection, row: tuple[object, ...]) -> None:
        connection.execute("BEGIN IMMEDIATE")
        try:
            connection.execute("DELETE FROM answers WHERE key = ? OR created <= ?", (row[0], self._now() - self._ttl))
            connection.execute(
                "INSERT INTO answers (key, near, tenant, digest, value, seal, vector, size, created, used) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                row,
            )
            while connection.execute("SELECT bytes FROM total").fetchone()[0] > self._max_bytes:
                connection.execute("DELETE FROM answers WHERE key = (SELECT key FROM answers ORDER BY used LIMIT 1)")
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise

    def _later(self, write: Callable[[sqlite3.Connection], object]) -> None:
        connection = self._writing
        if connection is None or not self._pending.acquire(blocking=False):
            return

        def run() -> None:
            try:
                write(connection)
            except _BROKEN as error:
                self._warn(error)
            finally:
                self._pending.release()

        try:
            self._writer.submit(run)
        except RuntimeError:  # closed meanwhile
            self._pending.release()

    def _warn(self, error: Exception) -> None:
        if not self._warned:
            self._warned = True
            _log.warning("answers are not kept, or not found again: %s (%s); if it is damaged, delete it", error, self._path)


def _seal(key: str, value: bytes) -> bytes:
    """Binds an answer to its request: a value that a bad disk or a hand put elsewhere is not given."""
    return hashlib.sha256(key.encode() + value).digest()[:16]
