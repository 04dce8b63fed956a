"""Where a registry is: config and project folder become one address of records and one of files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import URL, make_url

from hatrack.core.config_file import CONFIG_NAME, read_config
from hatrack.core.config_registry import RegistryPlace, RegistrySettings
from hatrack.core.errors import ConfigError
from hatrack.core.names import closest
from hatrack.core.project import Project

__all__ = ["Place", "own_place", "remote_place"]


@dataclass(frozen=True)
class Place:
    """``database`` holds the records, ``blobs`` the files: a folder, or a URL whose scheme says what it is.

    ``shared``: others may be using it, so nothing about it is changed on the way. ``cache``: a folder of this machine for
    copies of files that lie elsewhere.
    """

    database: URL
    blobs: str
    cache: Path
    shared: bool
    endpoint: str | None = None
    region: str | None = None
    refresh_seconds: float = 0.0

    @property
    def file(self) -> Path | None:
        """The file of a SQLite database."""
        return Path(self.database.database or "") if self.database.drivername == "sqlite" else None

    @property
    def shown(self) -> str:
        """The database as a user may see it."""
        return str(self.file) if self.file else self.database.set(drivername="postgresql").render_as_string(hide_password=True)


def own_place(project: Project) -> Place:
    """The registry that the project's config names; without a config, or where it names none, the project's own files.

    Raises:
        ConfigError: the config cannot be used.
    """
    settings = _settings(project)
    return _place(project, settings, settings.refresh_seconds)


def remote_place(project: Project, name: str | None) -> Place:
    """A registry of ``registry.remotes``; without a name, the only one.

    Raises:
        ConfigError: there is none of this name, or several and no name.
    """
    remotes = _settings(project).remotes
    if name is None and len(remotes) == 1:
        [only] = remotes.values()
        return _place(project, only)
    if name is None or name not in remotes:
        near = closest(name or "", remotes, 1)
        raise ConfigError(
            "hatrack.yaml names no such registry" if name else "say which registry is meant",
            given=name or "no name",
            allowed=", ".join(remotes) or "none: registry.remotes is empty",
            fix=f"did you mean {near[0]}?"
            if near
            else "add it: registry: {remotes: {team: {database: postgresql://..., blobs: s3://...}}}",
        )
    return _place(project, remotes[name])


def _settings(project: Project) -> RegistrySettings:
    try:
        text = (project.root / CONFIG_NAME).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return RegistrySettings()  # commands that need a config say so themselves
    # Large configs take a while to read, and most say nothing of this.
    return read_config(project.root).registry if "registry" in text else RegistrySettings()


def _place(project: Project, given: RegistryPlace, refresh_seconds: float = 0.0) -> Place:
    if given.database is None:
        database, shared = URL.create("sqlite", database=str(project.database)), False
    else:
        database, shared = make_url(given.database), True
        if database.drivername == "sqlite":
            database = database.set(database=str(project.root / (database.database or "")))
        else:
            database = database.set(drivername="postgresql+psycopg")
    blobs = str(project.blobs) if given.blobs is None else given.blobs if "://" in given.blobs else str(project.root / given.blobs)
    return Place(database, blobs, project.state / "cache" / "blobs", shared, given.endpoint, given.region, refresh_seconds)
