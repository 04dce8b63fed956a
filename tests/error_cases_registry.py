"""Faults of shared registries, for the catalogue behind docs/errors.md."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import yaml

from error_place import Place, case, fault
from hatrack.core.project import Project
from hatrack.registry.database import Database
from hatrack.registry.migrate import upgrade
from hatrack.registry.place import own_place
from hatrack.registry.store import Registry
from made_versions import added
from shared_places import bucket, s3_address


def _project(at: Place, **registry: Any) -> Path:
    """The project with what its config says of the registry; a shared one is set up."""
    root = at.project()
    path = root / "hatrack.yaml"
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | {"registry": registry}))
    return root


def _team(at: Place) -> Registry:
    root = _project(at, database="sqlite:///team.db", blobs="s3://" + bucket(), endpoint=s3_address())
    upgrade(Database(own_place(Project(root))))
    return Registry(Project(root))


def _newer(at: Place) -> None:
    _project(at, database="sqlite:///team.db", blobs="blobs")
    upgrade(Database(own_place(Project(at.root))))
    with sqlite3.connect(at.root / "team.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '0099'")


def _alone(at: Place) -> Registry:
    at.project()
    registry = Registry(Project(at.root))
    added(registry, at.tmp / "made", name="first")
    return registry


fault(
    "a registry across a network that does not answer",
    "versions",
    lambda at: _project(at, database="postgresql://127.0.0.1:9/team", blobs="s3://team"),
    "does not answer",
    "PGPASSWORD",
)
fault(
    "a shared database that was never set up",
    "versions",
    lambda at: _project(at, database="sqlite:///team.db", blobs="blobs"),
    "no registry in this database yet",
    "hatrack registry upgrade",
)
fault("a registry of a newer Hatrack", "versions", _newer, "newer version of Hatrack", "revision 0099")
fault(
    "a shared database without shared files",
    "versions",
    lambda at: _project(at, database="postgresql://db/team"),
    "blobs that they reach too",
)
fault(
    "a password in the config",
    "versions",
    lambda at: _project(at, database="postgresql://me:secret@db/team", blobs="s3://team"),
    "does not belong into a file",
    "PGPASSWORD",
)
fault("push, and no remote", "registry push", _alone, "say which registry is meant", "remotes")
fault("push to a remote that is not there", "registry push --to team", _alone, "names no such registry", "remotes")
fault("delete without a reason", "registry delete first@1.0.0", _alone, "for a reason", "--why")
fault("delete without a version", "registry delete first", _alone, "NAME@VERSION")
fault("export to a kind that is not there", "registry export first --to ocy", _alone, "did you mean oci?")


@case("export into a folder that holds something else", "something else than an OCI layout", "a new folder")
def _(at: Place) -> str:
    _alone(at)
    return "registry export first --to oci --out PROJECT"


@case("delete the champion", "is champion", "hatrack rollback first")
def _(at: Place) -> str:
    from hatrack.registry.promote import promote

    promote(_alone(at), "first", override="a test")
    return "registry delete first@1.0.0 --why old"


@case("a bucket that does not answer", "does not answer", "registry.endpoint")
def _(at: Place) -> str:
    _team(at)
    path = at.root / "hatrack.yaml"
    path.write_text(path.read_text().replace(s3_address(), "http://127.0.0.1:9"))
    return "registry verify"
