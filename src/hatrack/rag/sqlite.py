"""SQLite as both files of a knowledge base use it: several processes, nothing lost, errors said as Hatrack says them."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from hatrack.core.errors import StorageError

__all__ = ["open_database", "transaction"]

_SECONDS = 30.0  # that a writer waits for another one


def open_database(path: Path, schema: str) -> sqlite3.Connection:
    """A connection whose commits survive SIGKILL and a power cut. The caller keeps threads apart.

    Raises:
        StorageError: the file cannot be opened, or is none of SQLite's.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(path, timeout=_SECONDS, isolation_level=None, check_same_thread=False)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.executescript(schema)
    except (sqlite3.Error, OSError) as error:
        raise _refused(path, error) from error
    return connection


@contextlib.contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    """All or nothing; on the disk when the block has ended.

    Raises:
        StorageError: the disk refuses.
    """
    path = Path(connection.execute("PRAGMA database_list").fetchone()[2])
    try:
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield connection
            connection.execute("COMMIT")
        except BaseException:
            with contextlib.suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
            raise
    except sqlite3.Error as error:
        raise _refused(path, error) from error


def _refused(path: Path, error: Exception) -> StorageError:
    damaged = (isinstance(error, sqlite3.DatabaseError) and "not a database" in str(error)) or "malformed" in str(error)
    return StorageError(
        f"{path.name} cannot be used",
        given=f"{path}: {error}",
        fix="restore the file, or remove its folder and add the documents again"
        if damaged
        else "look at the disk and at who else uses the file",
    )
