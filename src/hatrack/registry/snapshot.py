"""A registry as it is at one moment: its records, the log too, in a SQLite file of their own; its files where they lie."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import URL, insert, select
from sqlalchemy.orm import Session

from hatrack.core.project import Project
from hatrack.core.sqlite_copy import copy_database
from hatrack.registry.database import Database
from hatrack.registry.schema import Base, StateRow
from hatrack.registry.store import Registry

__all__ = ["snapshot"]


def snapshot(registry: Registry, project: Project) -> Registry:
    """Copy all records into the database of ``project``, which has none yet, and read files where ``registry`` reads them.

    Raises:
        RegistryUnreachable, StorageError: it cannot be read, or the disk refuses.
    """
    place = replace(registry.place, database=URL.create("sqlite", database=str(project.database)), shared=False)
    if registry.place.file is not None:
        copy_database(registry.place.file, project.database)
        return Registry(project, place)
    made = Registry(project, place)
    _copy(registry.database, made.database)
    return made


def _copy(source: Database, target: Database) -> None:
    one_moment = source.engine.execution_options(isolation_level="REPEATABLE READ")  # else each table would be of another one
    with source.errors(), Session(one_moment) as there, target.writing() as here:
        for table in Base.metadata.sorted_tables:
            rows = [row._asdict() for row in there.execute(select(table))]
            if rows and table.name != StateRow.__tablename__:  # each database counts its own changes
                here.execute(insert(table), rows)
