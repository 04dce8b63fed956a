"""Bringing a registry's tables up to date: at once where they are this project's alone, else only when told to."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from sqlalchemy import Connection, inspect, text

from hatrack.core.atomic import STAGING, storage_errors
from hatrack.core.errors import SchemaMismatch
from hatrack.registry.audit import write_event
from hatrack.registry.database import Database

__all__ = ["CURRENT", "make_ready", "upgrade"]

CURRENT = "0002"
_STEPS = Path(__file__).parent / "migrations"


def make_ready(database: Database) -> None:
    """Check that the tables are those of this version of Hatrack.

    Those of a project alone are made, or upgraded after a backup.

    Raises:
        SchemaMismatch: they are older or missing and others use them too, or they are newer.
        RegistryUnreachable, StorageError: as ``Database.reading``.
    """
    with database.errors(), database.engine.connect() as connection:
        found = _revision(connection)
    if found == CURRENT:
        return
    _must_not_be_newer(database, found)
    if database.place.shared:
        when = ", when everybody who uses it has this version" if found else ""
        raise SchemaMismatch(
            "the registry was last used by an older version of Hatrack" if found else "there is no registry in this database yet",
            given=f"{database.place.shown}: " + (f"tables of revision {found}" if found else "no tables"),
            allowed=f"tables of revision {CURRENT}",
            fix=f"run `hatrack registry upgrade`{when}",
        )
    upgrade(database)


def upgrade(database: Database) -> tuple[str | None, Path | None]:
    """Make or upgrade the tables, in one transaction. A SQLite file is copied first.

    Returns:
        The revision before (None: no tables), and the backup, where one was made.

    Raises:
        SchemaMismatch: the tables are newer. RegistryUnreachable, StorageError: as ``Database.writing``.
    """
    with database.errors(), database.writer.begin() as connection:
        if database.place.file is None:
            connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('hatrack registry'))"))
        found = _revision(connection)
        _must_not_be_newer(database, found)
        if found == CURRENT:
            return found, None
        backup = _backup(connection, database.place.file, found) if database.place.file and found else None
        _run(connection, found)
        if found:
            write_event(connection, "upgrade", reason=f"tables of revision {found} to {CURRENT}")
        return found, backup


def _revision(connection: Connection) -> str | None:
    tables = inspect(connection)
    if tables.has_table("alembic_version"):
        return str(connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one())
    return "0001" if tables.has_table("versions") and tables.has_table("aliases") else None


def _must_not_be_newer(database: Database, found: str | None) -> None:
    if found is not None and found > CURRENT:
        raise SchemaMismatch(
            "the registry was written by a newer version of Hatrack",
            given=f"{database.place.shown}: tables of revision {found}",
            allowed=f"revision {CURRENT} or older",
            fix="install the newer Hatrack here too; nothing was changed",
        )


def _run(connection: Connection, found: str | None) -> None:
    from alembic.config import Config  # a quarter of a second, and nearly always there is nothing to do
    from alembic.migration import MigrationContext
    from alembic.runtime.environment import EnvironmentContext
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(_STEPS).replace("%", "%%"))
    steps = ScriptDirectory.from_config(config)
    if found == "0001" and not inspect(connection).has_table("alembic_version"):  # from before there were revisions
        MigrationContext.configure(connection).stamp(steps, found)
    with EnvironmentContext(config, steps, fn=lambda revision, context: steps._upgrade_revs(CURRENT, revision)) as environment:
        environment.configure(connection=connection, transactional_ddl=True)
        environment.run_migrations()


def _backup(connection: Connection, file: Path, found: str) -> Path:
    """Through SQLite itself: opening the file beside it would drop the lock that this process holds.

    As one image in memory, of a file of some megabytes: SQLite's online backup waits for the writer of its source to end, and
    that is this very connection.
    """
    target, number = file.with_name(f"{file.name}.revision-{found}"), 1
    while target.exists():
        number += 1
        target = file.with_name(f"{file.name}.revision-{found}-{number}")
    staging = file.with_name(f"{STAGING}{target.name}")
    with storage_errors(target):
        try:
            source: sqlite3.Connection = connection.connection.driver_connection  # type: ignore[assignment]  # it is SQLite's
            staging.write_bytes(source.serialize())
            os.replace(staging, target)
        finally:
            staging.unlink(missing_ok=True)
    return target
