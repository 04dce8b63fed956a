"""The records of a registry: one transaction for each change, one change at a time, and errors that a user can act on.

SQLite lets one process write at a time. In PostgreSQL each change begins by counting itself in the one row of ``state``:
who comes second waits at that row until the first is done, so what a change reads no other change can make untrue.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, select, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from hatrack.core.errors import RegistryUnreachable, StorageError
from hatrack.core.extras import require
from hatrack.registry.place import Place
from hatrack.registry.schema import StateRow

__all__ = ["Database"]

_WRITES = "hatrack_writes"
_ASK_AGAIN = 10.0  # seconds after which a database that did not answer is asked again by a server that goes on without it
_POSTGRES: dict[str, Any] = {
    "connect_timeout": 5,
    "keepalives_idle": 30,
    "tcp_user_timeout": 10_000,  # ms: a server that has gone is noticed while somebody still waits
    "application_name": "hatrack",
    "prepare_threshold": None,  # prepared statements do not go through poolers of connections
    "options": "-c lock_timeout=30s -c idle_in_transaction_session_timeout=120s",  # who hangs in a change must not stop all others
}
_log = logging.getLogger(__name__)


class Database:
    """Reads and changes, by thread. Opening connects to nothing yet.

    Raises:
        MissingExtra: PostgreSQL is asked for and its driver is not installed.
    """

    def __init__(self, place: Place) -> None:
        self.place = place
        if place.file is not None:
            self.engine = create_engine(place.database)
            event.listen(self.engine, "connect", _sqlite_pragmas)
            event.listen(self.engine, "begin", _sqlite_begin)
        else:
            require("psycopg", extra="postgresql", reason="a registry in PostgreSQL")
            defaults = {key: value for key, value in _POSTGRES.items() if key not in place.database.query}
            self.engine = create_engine(place.database, connect_args=defaults, pool_pre_ping=True)
        self.writer: Engine = self.engine.execution_options(**{_WRITES: True})
        self._active = threading.local()
        self._asking = threading.Lock()
        self._stamp: int | None = None
        self._ask_at = 0.0

    def close(self) -> None:
        """Give all connections back."""
        self.engine.dispose()

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A session to read with; inside ``writing``, the one that writes.

        Raises:
            RegistryUnreachable: the server does not answer. StorageError: the file cannot be read.
        """
        active = getattr(self._active, "session", None)
        if active is not None:
            yield active
            return
        with self.errors(), Session(self.engine, expire_on_commit=False) as session:
            yield session

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """A change: everything inside the block happens, or nothing. Blocks inside it belong to it.

        Raises:
            RegistryUnreachable: the server does not answer; the message says when it is not known whether the change was made.
            StorageError: the file cannot be written, or another process holds the registry.
        """
        active = getattr(self._active, "session", None)
        if active is not None:
            yield active
            return
        with self.errors(), Session(self.writer, expire_on_commit=False) as session:
            session.execute(update(StateRow).values(changes=StateRow.changes + 1))
            self._active.session = session
            try:
                yield session
            finally:
                self._active.session = None
            self._commit(session)
        self._ask_at = 0.0

    def stamp(self) -> object:
        """A value that differs after any change. Costs one ``stat``, or one query in ``refresh_seconds``.

        Where the server stopped answering, the last value is given, so that who serves goes on with what he knows.

        Raises:
            RegistryUnreachable: the server never answered.
        """
        if self.place.file is not None:
            status = self.place.file.stat()
            return status.st_mtime_ns, status.st_size, status.st_ino
        if time.monotonic() < self._ask_at or not self._asking.acquire(blocking=self._stamp is None):
            return self._stamp
        try:
            with self.reading() as session:
                self._stamp = session.scalars(select(StateRow.changes)).one()
            self._ask_at = time.monotonic() + self.place.refresh_seconds
        except RegistryUnreachable as error:
            if self._stamp is None:
                raise
            _log.warning("going on with what is known of the registry: %s", " ".join(str(error).split()))
            self._ask_at = time.monotonic() + _ASK_AGAIN
        finally:
            self._asking.release()
        return self._stamp

    def _commit(self, session: Session) -> None:
        try:
            session.commit()
        except DBAPIError as error:
            if self.place.file is not None or not error.connection_invalidated:
                raise
            raise RegistryUnreachable(
                "the connection to the registry ended while a change was being confirmed: it is not known whether it was made",
                given=f"{self.place.shown}: {_said(error)}",
                fix="run `hatrack registry log` to see whether it was",
            ) from error

    @contextmanager
    def errors(self) -> Iterator[None]:
        """What the database says, in our words."""
        try:
            yield
        except DBAPIError as error:
            if self.place.file is not None:
                raise StorageError(
                    "the registry cannot be opened or written",
                    given=f"{self.place.file}: {error.orig}",
                    fix="free space there, look at its permissions, or restore it from a backup",
                ) from error
            raise self._refused(error) from error

    def _refused(self, error: DBAPIError) -> StorageError:
        given, state = f"{self.place.shown}: {_said(error)}", getattr(error.orig, "sqlstate", None)
        if state == "55P03":  # lock_not_available
            return StorageError(
                "another process has held the registry for too long", given=given, fix="run the command again; look at what else is running"
            )
        if state is None or state[:2] in ("08", "57", "53", "25") or error.connection_invalidated:
            return RegistryUnreachable(
                "the registry's database does not answer; nothing was changed",
                given=given,
                fix="look at the server, at registry.database, and at PGPASSWORD or ~/.pgpass, then run the command again",
            )
        return RegistryUnreachable(
            "the registry's database refuses; nothing was changed",
            given=given,
            allowed="a role that may read and write the tables of the registry",
            fix="look at the role's rights",
        )


def _said(error: DBAPIError) -> str:
    return " ".join(str(error.orig).split())


def _sqlite_begin(connection: Connection) -> None:
    """Two changes must not both read before either writes."""
    connection.exec_driver_sql("BEGIN IMMEDIATE" if connection.get_execution_options().get(_WRITES) else "BEGIN")


def _sqlite_pragmas(connection: Any, record: object) -> None:
    connection.isolation_level = None  # sqlite3: leave transactions to the "begin" hook
    cursor = connection.cursor()
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.execute("PRAGMA busy_timeout=30000")
    cursor.close()
