"""A SQLite file copied whole, also while somebody writes to it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from hatrack.core.atomic import storage_errors
from hatrack.core.errors import StorageError

__all__ = ["copy_database"]


def copy_database(source: Path, target: Path) -> None:
    """Write ``target`` with everything that is committed in ``source`` at one moment; what lies in its ``-wal`` file is inside.

    Raises:
        StorageError: the disk refuses, or ``source`` is no database.
    """
    with storage_errors(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            with closing(sqlite3.connect(source)) as live, closing(sqlite3.connect(target)) as copy:
                live.backup(copy)
        except sqlite3.Error as error:
            raise StorageError(
                f"{source.name} cannot be copied", given=f"{source}: {error}", fix="look at the disk and at who else uses the file"
            ) from error
