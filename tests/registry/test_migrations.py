"""Tables from every released revision become the newest ones; newer ones are refused; nothing is lost on the way."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import sys

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine

from hatrack.core.errors import SchemaMismatch
from hatrack.core.project import Project
from hatrack.registry.database import Database
from hatrack.registry.migrate import _STEPS, CURRENT, upgrade
from hatrack.registry.place import own_place
from hatrack.registry.promote import rollback
from hatrack.registry.schema import Base
from hatrack.registry.store import Registry
from made_versions import added, report
from shared_places import bucket, new_database, s3_address, write_config

# The tables as Hatrack made them before there were revisions, in the words of its own release.
FIRST = """
CREATE TABLE versions (id {serial}, name VARCHAR(64) NOT NULL, version VARCHAR(32) NOT NULL, digest VARCHAR(64) NOT NULL,
  manifest TEXT NOT NULL, UNIQUE (name, version), UNIQUE (name, digest));
CREATE INDEX ix_versions_name ON versions (name);
CREATE INDEX ix_versions_digest ON versions (digest);
CREATE TABLE events (id {serial}, name VARCHAR(64) NOT NULL, action VARCHAR(32) NOT NULL, version VARCHAR(32) NOT NULL,
  previous VARCHAR(32), reason TEXT NOT NULL, created VARCHAR(32) NOT NULL);
CREATE INDEX ix_events_name ON events (name);
CREATE TABLE aliases (name VARCHAR(64) NOT NULL, alias VARCHAR(64) NOT NULL, version_id INTEGER NOT NULL REFERENCES versions (id),
  PRIMARY KEY (name, alias));
CREATE TABLE reports (id {serial}, version_id INTEGER NOT NULL REFERENCES versions (id), report TEXT NOT NULL);
CREATE INDEX ix_reports_version_id ON reports (version_id);
CREATE TABLE attachments (id {serial}, version_id INTEGER NOT NULL REFERENCES versions (id), kind VARCHAR(32) NOT NULL,
  blob VARCHAR(64) NOT NULL, created VARCHAR(32) NOT NULL);
CREATE INDEX ix_attachments_version_id ON attachments (version_id);
"""
SERIAL = {"sqlite": "INTEGER NOT NULL PRIMARY KEY", "postgresql": "SERIAL PRIMARY KEY"}
MOVES = [("promote", "1.0.0", None), ("promote", "1.0.1", "1.0.0")]


@pytest.fixture(params=["sqlite", "sqlite of a team", "postgresql"])
def old(request, tmp_path):
    """A project whose registry has the first tables, with two versions, a report and two promotions."""
    root = tmp_path / "project"
    if request.param == "sqlite":
        root.mkdir()
    elif request.param == "postgresql":
        write_config(root, database=new_database(), blobs=f"s3://{bucket()}", endpoint=s3_address())
    else:
        write_config(root, database="sqlite:///team.db", blobs="blobs")
    made = tmp_path / "made"
    if root.joinpath("hatrack.yaml").exists():
        write_config(made, database="sqlite:///x.db", blobs=own_place(Project(root)).blobs, endpoint=s3_address())
        upgrade(Database(own_place(Project(made))))
    registry = Registry(Project(made))  # only to have files and records
    manifests = [added(registry, tmp_path / name, weights=name) for name in "ab"]
    if request.param == "sqlite":
        shutil.copytree(made / ".hatrack" / "blobs", root / ".hatrack" / "blobs")
    fill(own_place(Project(root)), request.param, manifests)
    return root


def fill(place, kind, manifests):
    rows = [(m.name, m.version, m.digest, m.model_dump_json()) for m in manifests]
    moves = [("legal", action, version, previous, "+0.2", "2026-01-01T00:00:00+00:00") for action, version, previous in MOVES]
    first = report(manifests[0]).model_dump_json()
    if kind == "postgresql":
        with psycopg.connect(place.database.set(drivername="postgresql").render_as_string()) as connection:
            connection.execute(FIRST.format(serial=SERIAL[kind]))
            write(connection.cursor(), rows, moves, first, "%s")
    else:
        place.file.parent.mkdir(exist_ok=True)
        with sqlite3.connect(place.file) as connection:
            connection.executescript(FIRST.format(serial=SERIAL["sqlite"]))
            write(connection.cursor(), rows, moves, first, "?")


def write(cursor, rows, moves, report, mark):
    marks = lambda count: ", ".join([mark] * count)  # noqa: E731
    cursor.executemany(f"INSERT INTO versions (name, version, digest, manifest) VALUES ({marks(4)})", rows)
    cursor.execute(f"INSERT INTO reports (version_id, report) VALUES (1, {mark})", (report,))
    cursor.execute("INSERT INTO aliases VALUES ('legal', 'champion', 2)")
    cursor.executemany(f"INSERT INTO events (name, action, version, previous, reason, created) VALUES ({marks(6)})", moves)


def test_a_registry_of_the_first_revision_is_whole_after_its_upgrade(old, hatrack):
    place = own_place(Project(old))
    if place.shared:
        with pytest.raises(SchemaMismatch, match="older version") as refused:
            Registry(Project(old))
        assert "hatrack registry upgrade" in refused.value.fix
        told = hatrack("registry", "upgrade", project=old)
        assert (told.code, "from revision 0001 to 0002" in told.out) == (0, True), told
    registry = Registry(Project(old))
    assert [m.version for m in registry.versions("legal")] == ["1.0.0", "1.0.1"]
    first = registry.resolve("legal@1.0.0")
    assert (registry.folder(first) / "adapter_model.safetensors").read_text() == "a"
    assert registry.report(first) == report(first)
    assert [(m.action, m.version, m.previous) for m in registry.history("legal")] == MOVES
    assert [event.action for event in registry.log()] == ["promote", "promote", "upgrade"]
    assert rollback(registry, "legal").version == "1.0.0"
    if place.file is not None:
        backup = place.file.with_name(f"{place.file.name}.revision-0001")
        with sqlite3.connect(backup) as copy:
            assert copy.execute("SELECT count(*) FROM versions").fetchone() == (2,)
            assert not copy.execute("SELECT 1 FROM sqlite_master WHERE name = 'state'").fetchall()
        assert not list(old.rglob(".staging-*"))


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_the_steps_lead_to_the_tables_that_the_code_uses(kind, tmp_path):
    if kind == "postgresql":
        write_config(tmp_path, database=new_database(), blobs="blobs")
    else:
        (tmp_path / ".hatrack").mkdir()
    place = own_place(Project(tmp_path))
    upgrade(Database(place))
    with create_engine(place.database).connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []


def test_the_newest_step_is_the_one_that_the_code_asks_for():
    config = Config()
    config.set_main_option("script_location", str(_STEPS))
    assert ScriptDirectory.from_config(config).get_current_head() == CURRENT


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_newer_registry_is_refused_and_left_alone(kind, tmp_path, hatrack):
    if kind == "postgresql":
        write_config(tmp_path, database=new_database(), blobs="blobs")
    else:
        write_config(tmp_path)
        (tmp_path / ".hatrack").mkdir()
    place = own_place(Project(tmp_path))
    upgrade(Database(place))
    with create_engine(place.database).begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0099'")
    for command in (("versions",), ("registry", "upgrade")):
        refused = hatrack(*command, project=tmp_path)
        assert refused.code == 2
        assert "newer version of Hatrack" in refused.err
        assert "revision 0099" in refused.err
    assert [path.name for path in tmp_path.rglob("*.revision-*")] == []


def test_an_upgrade_that_fails_leaves_the_old_tables(tmp_path, monkeypatch):
    root = tmp_path / "project"
    root.mkdir()
    fill(own_place(Project(root)), "sqlite", [added(Registry(Project(tmp_path / "made")), tmp_path / name, weights=name) for name in "ab"])
    before = (root / ".hatrack" / "registry.db").read_bytes()
    monkeypatch.setattr("hatrack.registry.migrate.write_event", lambda *args, **kwargs: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        Registry(Project(root))
    assert (root / ".hatrack" / "registry.db").read_bytes() == before
    monkeypatch.undo()
    assert len(Registry(Project(root)).versions("legal")) == 2


OPENER = """
import pathlib, sys
from hatrack.core.project import Project
from hatrack.registry.store import Registry
print("ready", flush=True)
sys.stdin.readline()
print(len(Registry(Project(pathlib.Path(sys.argv[1]))).history("legal")))
"""


def test_processes_that_open_an_old_registry_at_once_upgrade_it_once(tmp_path):
    root = tmp_path / "project"
    root.mkdir()
    fill(own_place(Project(root)), "sqlite", [added(Registry(Project(tmp_path / "made")), tmp_path / name, weights=name) for name in "ab"])
    openers = [
        subprocess.Popen([sys.executable, "-c", OPENER, str(root)], text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        for _ in range(3)
    ]
    for opener in openers:
        assert opener.stdout.readline() == "ready\n"
    for opener in openers:
        opener.stdin.write("go\n")
        opener.stdin.flush()
    assert [opener.communicate(timeout=60)[0] for opener in openers] == ["2\n"] * 3
    assert [event.action for event in Registry(Project(root)).log()] == ["promote", "promote", "upgrade"]
    assert len(list(root.rglob("*.revision-*"))) == 1
    assert json.loads(Registry(Project(root)).resolve("legal").model_dump_json())["version"] == "1.0.1"
