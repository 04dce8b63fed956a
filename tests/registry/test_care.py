"""The log, deleting, collecting and verifying, on a registry of one project; and versions on their way to a team."""

from __future__ import annotations

import json
import os
import sqlite3
import time

import pytest

from hatrack.core.errors import AdapterBroken, AdapterError, AdapterNotFound, ConfigError
from hatrack.core.project import Project
from hatrack.registry.audit import who
from hatrack.registry.care import collect, delete_version, verify
from hatrack.registry.exchange import chosen, copy_version
from hatrack.registry.place import remote_place
from hatrack.registry.promote import promote, rollback
from hatrack.registry.store import Registry
from made_versions import added, draft, report
from shared_places import bucket, new_database, s3_address, shared_project, write_config


@pytest.fixture
def registry(tmp_path):
    return Registry(Project(tmp_path))


def test_the_log_says_who_did_what_and_why(registry, tmp_path, monkeypatch):
    monkeypatch.setenv("HATRACK_ACTOR", "asha")
    added(registry, tmp_path / "a")
    added(registry, tmp_path / "b", weights="other")
    promote(registry, "legal@1.0.0", override="the first")
    promote(registry, "legal@1.0.1", override="the second", actor="key ci")
    rollback(registry, "legal", why="customers complained")
    gone = delete_version(registry, "legal@1.0.1", "it was no good")
    collect(registry, 0, why="spring")
    lines = [(e.actor, e.action, e.version, e.previous, e.reason) for e in registry.log()]
    assert lines == [
        ("asha", "register", "1.0.0", None, "instruct by lora"),
        ("asha", "register", "1.0.1", None, "instruct by lora"),
        ("asha", "promote with override", "1.0.0", None, "the first"),
        ("key ci", "promote with override", "1.0.1", "1.0.0", "the second"),
        ("asha", "rollback", "1.0.0", "1.0.1", "back from 1.0.1: customers complained"),
        ("asha", "delete", "1.0.1", None, "it was no good"),
        ("asha", "gc", "", None, "1 files that no version names, 5 bytes: spring"),
    ]
    assert registry.log()[5].digest == gone.digest
    assert len(registry.log("legal")) == 6
    assert [event.action for event in registry.log(limit=2)] == ["delete", "gc"]


def test_a_line_is_part_of_the_change_it_is_about(registry, tmp_path, monkeypatch):
    added(registry, tmp_path / "a")
    monkeypatch.setattr("hatrack.registry.store.write_event", lambda *args, **kwargs: 1 / 0)
    monkeypatch.setattr("hatrack.registry.care.write_event", lambda *args, **kwargs: 1 / 0)
    for change in (
        lambda: added(registry, tmp_path / "b", weights="other"),
        lambda: promote(registry, "legal", override="x"),
        lambda: delete_version(registry, "legal@1.0.0", "x"),
    ):
        with pytest.raises(ZeroDivisionError):
            change()
    assert [m.version for m in registry.versions("legal")] == ["1.0.0"]
    assert registry.aliases("legal") == {}


def test_the_log_of_a_file_can_be_added_to_and_nothing_else(registry, tmp_path):
    added(registry, tmp_path / "a")
    for words in ("UPDATE events SET actor = 'nobody'", "DELETE FROM events"):
        with (
            sqlite3.connect(tmp_path / ".hatrack" / "registry.db") as connection,
            pytest.raises(sqlite3.IntegrityError, match="only be added"),
        ):
            connection.execute(words)


def test_who_is_user_and_machine_unless_the_environment_says_more(monkeypatch):
    monkeypatch.delenv("HATRACK_ACTOR", raising=False)
    assert "@" in who()
    monkeypatch.setenv("HATRACK_ACTOR", " ci of legal ")
    assert who() == "ci of legal"


def test_a_deleted_number_is_never_used_again(registry, tmp_path):
    added(registry, tmp_path / "a")
    added(registry, tmp_path / "b", weights="other")
    delete_version(registry, "legal@1.0.1", "it was no good")
    with pytest.raises(AdapterNotFound):
        registry.resolve("legal@1.0.1")
    assert added(registry, tmp_path / "c", weights="third").version == "1.0.2"


def test_the_champion_is_not_deleted_and_nothing_without_a_reason(registry, tmp_path):
    added(registry, tmp_path / "a")
    promote(registry, "legal", override="x")
    with pytest.raises(AdapterError, match="is champion"):
        delete_version(registry, "legal@1.0.0", "it was no good")
    with pytest.raises(AdapterError, match="for a reason"):
        delete_version(registry, "legal@1.0.0", " ")
    assert [m.version for m in registry.versions("legal")] == ["1.0.0"]


def test_rollback_passes_over_a_version_that_was_deleted(registry, tmp_path):
    for number, weights in enumerate("abc"):
        added(registry, tmp_path / weights, weights=weights)
        promote(registry, f"legal@1.0.{number}", override="x")
    delete_version(registry, "legal@1.0.1", "it was no good")
    assert rollback(registry, "legal").version == "1.0.0"


def test_gc_removes_what_nobody_names_and_is_old_enough(registry, tmp_path):
    kept = added(registry, tmp_path / "a")
    file = tmp_path / "note.json"
    file.write_text("{}")
    registry.attach(kept, "note", file)
    for name in "bc":
        (tmp_path / name).mkdir()
        (tmp_path / name / "x").write_text(f"{name} was never registered")
    old, young = (registry.blobs.put(tmp_path / name / "x") for name in "bc")
    past = time.time() - 3600
    for blob in registry.blobs.all():
        if blob.digest != young:
            os.utime(registry.blobs.path(blob.digest), (past, past))
    shown = collect(registry, 1800, dry_run=True)
    assert ([blob.digest for blob in shown.removed], shown.young) == ([old], 1)
    assert registry.blobs.has(old)
    assert [blob.digest for blob in collect(registry, 1800).removed] == [old]
    assert registry.blobs.has(young)
    assert not registry.blobs.has(old)
    assert verify(registry).faults == ()
    assert registry.attached("note")[kept.digest].read_text() == "{}"


def test_verify_finds_a_missing_file_a_changed_one_and_a_record_that_was_edited(registry, tmp_path):
    first, second = added(registry, tmp_path / "a"), added(registry, tmp_path / "b", weights="other")
    assert verify(registry).faults == ()
    registry.blobs.path(first.files["adapter_model.safetensors"]).unlink()
    registry.blobs.path(second.files["adapter_model.safetensors"]).write_text("x")
    edited = second.model_copy(update={"config": {**second.config, "system": "Say yes."}})
    with sqlite3.connect(tmp_path / ".hatrack" / "registry.db") as connection:
        connection.execute("UPDATE versions SET manifest = ? WHERE digest = ?", (edited.model_dump_json(), second.digest))
    found = {(fault.version, fault.wrong.split(":")[0].split(" digest")[0]) for fault in verify(registry).faults}
    assert found == {
        ("legal@1.0.0 adapter_model.safetensors", "it is missing"),
        ("legal@1.0.1 adapter_model.safetensors", "it holds other bytes"),
        ("legal@1.0.1", "its record does not belong to its"),
    }


@pytest.fixture
def team(tmp_path):
    """A laptop with a registry of its own and a remote one, and a colleague whose registry is that one."""
    colleague = shared_project(tmp_path / "colleague")
    place = Registry(Project(colleague)).place
    url = place.database.set(drivername="postgresql").render_as_string()
    remote = {"database": url, "blobs": place.blobs, "endpoint": place.endpoint}
    return write_config(tmp_path / "laptop", remotes={"team": remote}), Registry(Project(colleague))


def test_push_brings_files_record_and_evidence_and_leaves_titles_alone(team, tmp_path, hatrack):
    laptop, colleague = team
    own = Registry(Project(laptop))
    manifest = added(own, tmp_path / "a")
    own.add_report(manifest, report(manifest))
    own.attach(manifest, "note", tmp_path / "a" / "hatrack.json")
    promote(own, "legal")
    told = hatrack("registry", "push", "legal", "--to", "team", "--why", "ready", project=laptop)
    assert (told.code, told.out) == (0, "legal@1.0.0 (1 reports, 1 other records)\n")
    assert colleague.resolve("legal@1.0.0") == manifest
    assert (colleague.folder(manifest) / "adapter_model.safetensors").read_text() == "w"
    assert colleague.report(manifest) == own.report(manifest)
    assert colleague.attached("note")[manifest.digest].read_text() == "{}"
    assert colleague.aliases("legal") == {}
    assert colleague.log()[-1].reason.endswith("registry.db: ready")
    assert promote(colleague, "legal").version == "1.0.0"  # the evidence came with it
    again = json.loads(hatrack("registry", "push", "--json", project=laptop).out)
    assert [(one["new"], one["reports"], one["attachments"]) for one in again] == [(False, 0, 0)]
    assert len(colleague.log()) == 2


def test_a_number_that_is_taken_there_is_raised_and_the_digest_stays(team, tmp_path, hatrack):
    laptop, colleague = team
    mine, theirs = added(Registry(Project(laptop)), tmp_path / "a"), added(colleague, tmp_path / "b", weights="theirs")
    assert mine.version == theirs.version
    assert "legal@1.0.0 is called legal@1.0.1 there" in hatrack("registry", "push", "legal@1.0.0", project=laptop).out
    assert [(m.version, m.digest) for m in colleague.versions("legal")] == [("1.0.0", theirs.digest), ("1.0.1", mine.digest)]
    assert hatrack("registry", "pull", "legal", "--from", "team", project=laptop).code == 0
    own = Registry(Project(laptop))
    assert {m.digest for m in own.versions("legal")} == {mine.digest, theirs.digest}
    assert (own.folder(own.find(theirs.digest)) / "adapter_model.safetensors").read_text() == "theirs"


def test_a_damaged_version_is_not_pushed(team, tmp_path):
    laptop, colleague = team
    own = Registry(Project(laptop))
    manifest = added(own, tmp_path / "a")
    own.blobs.path(manifest.files["adapter_model.safetensors"]).write_text("x")
    with pytest.raises(AdapterBroken):
        copy_version(own, colleague, manifest, "")
    assert colleague.names() == []


def test_remotes_are_found_by_name(team, tmp_path):
    laptop, _ = team
    assert remote_place(Project(laptop), None) == remote_place(Project(laptop), "team")
    with pytest.raises(ConfigError, match="no such registry") as refused:
        remote_place(Project(laptop), "taem")
    assert refused.value.fix == "did you mean team?"
    write_config(laptop, remotes={n: {"database": new_database(), "blobs": f"s3://{bucket()}", "endpoint": s3_address()} for n in "ab"})
    with pytest.raises(ConfigError, match="say which"):
        remote_place(Project(laptop), None)
    assert [m.version for m in chosen(Registry(Project(laptop)), [])] == []
    assert draft(Registry(Project(laptop)), tmp_path / "x").version == "1.0.0"


def test_commands_show_the_registry_and_its_faults(registry, tmp_path, hatrack):
    write_config(tmp_path)
    manifest = added(registry, tmp_path / "a")
    shown = json.loads(hatrack("registry", "show", "--json", project=tmp_path).out)
    assert (shown["adapters"], shown["versions"], shown["shared"]) == (1, 1, False)
    assert "instruct by lora" in hatrack("registry", "log", "legal", project=tmp_path).out
    assert hatrack("registry", "verify", project=tmp_path).code == 0
    registry.blobs.path(manifest.files["hatrack.json"]).write_text("x")
    found = hatrack("registry", "verify", project=tmp_path)
    assert (found.code, "it holds other bytes" in found.out) == (1, True)
    assert hatrack("registry", "gc", "--grace", "0", project=tmp_path).out == "0 files that no version names removed, 0 bytes\n"
    refused = hatrack("registry", "delete", "legal@1.0.0", project=tmp_path)
    assert (refused.code, "for a reason" in refused.err) == (2, True)
    assert hatrack("registry", "delete", "legal@1.0.0", "--why", "damaged", project=tmp_path).code == 0
    gone = hatrack("registry", "gc", "--grace", "0", "--dry-run", project=tmp_path).out
    assert "2 files that no version names would be removed" in gone
