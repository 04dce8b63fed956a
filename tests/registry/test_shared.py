"""A registry in PostgreSQL and S3: many processes, killed ones, a wire that breaks, a bucket that lies."""

from __future__ import annotations

import itertools
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import psycopg
import pytest

from hatrack.core.errors import AdapterBroken, RegistryUnreachable
from hatrack.core.project import Project
from hatrack.registry.care import collect, named_blobs, verify
from hatrack.registry.promote import check_promotion, promote, rollback
from hatrack.registry.store import Registry
from made_versions import added, draft, report
from shared_places import bucket, cut_off, new_database, s3_address, shared_project, spoil_object, write_config

TESTS = Path(__file__).resolve().parents[1]


@pytest.fixture
def root(tmp_path):
    return shared_project(tmp_path / "project")


@pytest.fixture
def registry(root):
    return Registry(Project(root))


def same_place(root, other):
    """Another machine of the team: the same config, nothing else."""
    other.mkdir()
    shutil.copyfile(root / "hatrack.yaml", other / "hatrack.yaml")
    return Registry(Project(other))


def test_what_one_machine_registers_the_other_has(root, registry, tmp_path):
    manifest = added(registry, tmp_path / "a")
    registry.add_report(manifest, report(manifest))
    promote(registry, "legal")
    other = same_place(root, tmp_path / "other")
    assert other.resolve("legal@champion") == manifest
    assert (other.folder(manifest) / "adapter_model.safetensors").read_text() == "w"
    assert other.report(manifest) == registry.report(manifest)
    before = other.stamp()
    added(registry, tmp_path / "b", weights="other")
    assert other.stamp() != before
    promote(other, "legal@1.0.1", override="a try")
    assert registry.aliases("legal") == {"champion": "1.0.1"}
    assert rollback(registry, "legal").version == "1.0.0"
    assert not (root / ".hatrack" / "registry.db").exists()


def test_a_new_database_is_refused_until_it_is_set_up(tmp_path, hatrack):
    write_config(tmp_path, database=new_database(), blobs=f"s3://{bucket()}", endpoint=s3_address())
    refused = hatrack("versions", project=tmp_path)
    assert (refused.code, "run `hatrack registry upgrade`" in refused.err) == (2, True)
    assert "is set up" in hatrack("registry", "upgrade", project=tmp_path).out
    assert hatrack("versions", project=tmp_path).code == 0
    assert "is up to date" in hatrack("registry", "upgrade", project=tmp_path).out


WORKER = """
import pathlib, sys
sys.path.insert(0, sys.argv[1])
from hatrack.core.project import Project
from hatrack.registry.promote import promote
from hatrack.registry.store import Registry
registry = Registry(Project(pathlib.Path(sys.argv[2])))
print("ready", flush=True)
sys.stdin.readline()
for _ in range(5):
    promote(registry, sys.argv[3])
"""


@pytest.mark.parametrize("shared", [True, False], ids=["postgresql", "sqlite"])
def test_promotions_of_eight_processes_are_one_after_the_other_and_none_is_lost(shared, tmp_path):
    root = shared_project(tmp_path / "project") if shared else tmp_path
    registry = Registry(Project(root))
    for number in range(8):
        manifest = added(registry, tmp_path / str(number), weights=str(number))
        registry.add_report(manifest, report(manifest))
    workers = [
        subprocess.Popen([sys.executable, "-c", WORKER, str(TESTS), str(root), f"legal@1.0.{number}"], text=True,
                         stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for number in range(8)
    ]  # fmt: skip
    for worker in workers:
        assert worker.stdout.readline() == "ready\n"
    for worker in workers:
        worker.stdin.write("go\n")
        worker.stdin.flush()
    for worker in workers:
        assert worker.communicate(timeout=90)[1] == ""
        assert worker.returncode == 0
    moves = registry.history("legal")
    assert len(moves) == 40
    assert all(before.version == after.previous for before, after in itertools.pairwise(moves))
    assert registry.aliases("legal")["champion"] == moves[-1].version


def test_nobody_changes_the_evidence_between_the_judgement_and_the_move(root, registry, tmp_path, monkeypatch):
    manifest = added(registry, tmp_path / "a")
    registry.add_report(manifest, report(manifest))
    other = same_place(root, tmp_path / "other")
    late = threading.Thread(target=lambda: other.add_report(manifest, report(manifest, passed=False)))
    real, waits = check_promotion, []

    def judged(*args, **kwargs):
        found = real(*args, **kwargs)
        late.start()
        late.join(0.5)
        waits.append(late.is_alive())
        return found

    monkeypatch.setattr("hatrack.registry.promote.check_promotion", judged)
    assert promote(registry, "legal").version == "1.0.0"
    late.join(30)
    assert waits == [True]
    assert registry.report(manifest).passed is False  # it came, and came later


KILLED = """
import os, pathlib, signal, sys
sys.path.insert(0, sys.argv[1])
from hatrack.core.project import Project
from hatrack.registry import store
from made_versions import added
registry = store.Registry(Project(pathlib.Path(sys.argv[2])))
def die(*args, **kwargs):
    os.kill(os.getpid(), signal.SIGKILL)
if sys.argv[4] == "before the row":
    registry.database.writing = die
else:
    real = store.write_event
    def written(session, *args, **kwargs):
        real(session, *args, **kwargs)
        session.flush()
        die()
    store.write_event = written
added(registry, pathlib.Path(sys.argv[3]))
"""


@pytest.mark.parametrize("point", ["before the row", "after the row, before its confirmation"])
@pytest.mark.parametrize("shared", [True, False], ids=["postgresql", "sqlite"])
def test_a_registration_that_is_killed_leaves_no_version_and_only_files_that_gc_removes(shared, point, tmp_path):
    root = shared_project(tmp_path / "project") if shared else tmp_path
    registry = Registry(Project(root))
    ran = subprocess.run([sys.executable, "-c", KILLED, str(TESTS), str(root), str(tmp_path / "a"), point], check=False, timeout=60)
    assert ran.returncode == -9
    assert registry.names() == []
    assert registry.log() == []
    assert (verify(registry).faults, verify(registry).unnamed) == ((), 2)
    assert len(collect(registry, 0).removed) == 2
    assert list(registry.blobs.all()) == []
    assert added(registry, tmp_path / "a").version == "1.0.0"
    assert verify(registry).faults == ()


@pytest.fixture
def wire(tmp_path):
    """A registry behind a wire that can be cut, and the same registry past the wire."""
    root = shared_project(tmp_path / "near")
    near = Registry(Project(root))
    first = added(near, tmp_path / "a")
    added(near, tmp_path / "b", weights="other")
    near.add_report(first, report(first))
    promote(near, "legal@1.0.0")
    with cut_off(near.place.database.set(drivername="postgresql").render_as_string()) as (url, cut):
        far = write_config(tmp_path / "far", database=url, blobs=near.place.blobs, endpoint=s3_address(), refresh_seconds=0)
        yield Registry(Project(far)), near, cut


@pytest.mark.parametrize("words", [b"UPDATE state", b"INSERT INTO events"])
def test_a_database_that_goes_in_the_middle_of_a_promotion_leaves_everything_as_it_was(wire, words):
    far, near, cut = wire
    cut(words, False)
    with pytest.raises(RegistryUnreachable, match="nothing was changed"):
        promote(far, "legal@1.0.1", override="a try")
    assert near.aliases("legal") == {"champion": "1.0.0"}
    assert [move.version for move in near.history("legal")] == ["1.0.0"]
    assert promote(far, "legal@1.0.1", override="a try").version == "1.0.1"  # the next connection is a new one
    assert near.aliases("legal") == {"champion": "1.0.1"}


@pytest.mark.parametrize(("heard", "champion"), [(False, "1.0.0"), (True, "1.0.1")])
def test_a_confirmation_that_is_lost_is_not_called_a_failure(wire, heard, champion):
    far, near, cut = wire
    cut(b"COMMIT", heard)
    with pytest.raises(RegistryUnreachable, match="not known whether it was made") as refused:
        promote(far, "legal@1.0.1", override="a try")
    assert "hatrack registry log" in refused.value.fix
    assert near.aliases("legal") == {"champion": champion}
    assert near.history("legal")[-1].version == champion


def test_a_server_goes_on_with_what_it_knows_while_the_database_is_away(wire, caplog):
    far, _, cut = wire
    known = far.stamp()
    cut(b"SELECT", False)
    far.database.engine.dispose()
    assert far.stamp() == known
    assert "going on with what is known" in caplog.text
    far.database._ask_at = 0
    assert far.stamp() == known  # and asks again


def test_a_database_that_never_answered_is_an_error(tmp_path):
    root = write_config(tmp_path, database="postgresql://127.0.0.1:9/x", blobs="s3://bucket")
    with pytest.raises(RegistryUnreachable, match="does not answer") as refused:
        Registry(Project(root))
    assert "PGPASSWORD" in refused.value.fix


def test_a_file_that_the_bucket_lost_or_changed_is_named_and_nothing_of_it_is_used(root, registry, tmp_path):
    manifest = added(registry, tmp_path / "a")
    digest = manifest.files["adapter_model.safetensors"]
    spoil_object(registry.place.blobs, digest, b"x")
    fresh = same_place(root, tmp_path / "other")
    with pytest.raises(AdapterBroken, match="other bytes") as refused:
        fresh.folder(manifest)
    assert digest in refused.value.given
    assert [fault.wrong.split(":")[0] for fault in verify(registry).faults] == ["it holds other bytes"]
    spoil_object(registry.place.blobs, digest, None)
    with pytest.raises(AdapterBroken, match="missing from the registry"):
        fresh.folder(manifest)
    assert [fault.wrong for fault in verify(registry).faults] == ["it is missing"]
    assert not list((tmp_path / "other").rglob(".staging-*"))
    assert added(registry, tmp_path / "a") == manifest  # registering the same again repairs it
    assert (fresh.folder(manifest) / "adapter_model.safetensors").read_text() == "w"


def test_a_bucket_that_is_away_stops_a_registration_and_not_what_is_here_already(root, registry, tmp_path):
    manifest = added(registry, tmp_path / "a")
    registry.folder(manifest)
    lost = write_config(tmp_path / "lost", **_config(root) | {"endpoint": "http://127.0.0.1:9"})
    shutil.copytree(root / ".hatrack" / "cache", lost / ".hatrack" / "cache")
    other = Registry(Project(lost))
    assert (other.folder(manifest) / "adapter_model.safetensors").read_text() == "w"
    with pytest.raises(RegistryUnreachable, match="the bucket of the registry does not answer"):
        other.add(draft(other, tmp_path / "b", weights="other"), tmp_path / "b")
    assert [one.version for one in registry.versions("legal")] == ["1.0.0"]


def test_a_bucket_that_does_not_exist_is_not_taken_for_lost_files(root, registry, tmp_path):
    manifest = added(registry, tmp_path / "a")
    elsewhere = write_config(tmp_path / "elsewhere", **_config(root) | {"blobs": "s3://nobodys-bucket"})
    with pytest.raises(RegistryUnreachable, match="not there"):
        Registry(Project(elsewhere)).folder(manifest)


def test_a_registration_survives_a_gc_that_comes_between_its_files_and_its_row(root, registry, tmp_path):
    manifest, real = draft(registry, tmp_path / "a"), registry.database.writing
    other = same_place(root, tmp_path / "other")

    def late():
        registry.database.writing = real
        assert len(collect(other, 0).removed) == 2
        return real()

    registry.database.writing = late
    registry.add(manifest, tmp_path / "a")
    assert set(named_blobs(registry)) == {blob.digest for blob in registry.blobs.all()}
    assert verify(registry).faults == ()


def test_the_log_can_be_added_to_and_nothing_else(registry, tmp_path):
    added(registry, tmp_path / "a")
    url = registry.place.database.set(drivername="postgresql").render_as_string()
    for words in ("UPDATE events SET actor = 'nobody'", "DELETE FROM events", "TRUNCATE events"):
        with psycopg.connect(url) as connection, pytest.raises(psycopg.errors.RaiseException, match="only be added to"):
            connection.execute(words)
    assert [event.action for event in registry.log()] == ["register"]


def _config(root):
    import yaml

    return yaml.safe_load((root / "hatrack.yaml").read_text())["registry"]
