"""Versions: numbered by what changed, never altered, stored once, found by name."""

from __future__ import annotations

import errno
import shutil
from pathlib import Path

import pytest

from hatrack.core.errors import AdapterBroken, AdapterNotFound, StorageError
from hatrack.core.project import Project
from hatrack.registry.manifest import differences
from hatrack.registry.promote import promote
from hatrack.registry.store import Registry
from made_versions import added, draft, record, report


@pytest.fixture
def registry(tmp_path):
    return Registry(Project(tmp_path))


@pytest.mark.parametrize(
    ("changes", "version"),
    [
        ({"train": {"seed": 14, "epochs": 3}}, "1.0.1"),
        ({"options": {"r": 16}}, "1.1.0"),
        ({"data": record("c" * 64)}, "1.1.0"),
        ({"method": "dora"}, "1.1.0"),
        ({"labels": ["a", "b"]}, "2.0.0"),
        ({"system": "Be brief."}, "2.0.0"),
        ({"task": "classify-by-text"}, "2.0.0"),
        ({"answer_schema": {"type": "object"}}, "2.0.0"),
        ({"fingerprint": "1" * 64}, "2.0.0"),
        ({"template": "2" * 64}, "2.0.0"),
        ({"system": "Be brief.", "options": {"r": 16}}, "2.0.0"),
    ],
)
def test_the_number_of_a_version_says_what_changed(registry, tmp_path, changes, version):
    first = added(registry, tmp_path / "a")
    second = added(registry, tmp_path / "b", weights="other", **changes)
    assert (first.version, second.version) == ("1.0.0", version)
    assert (first.parent, second.parent) == (None, first.digest)


def test_other_weights_alone_are_a_patch(registry, tmp_path):
    added(registry, tmp_path / "a")
    assert added(registry, tmp_path / "b", weights="other").version == "1.0.1"


def test_a_version_is_found_by_its_digest_under_whatever_name(registry, tmp_path):
    first = added(registry, tmp_path / "a")
    assert registry.find(first.digest) == first
    assert registry.find("0" * 64) is None


def test_the_same_digest_is_stored_once(registry, tmp_path):
    first = added(registry, tmp_path / "a")
    again = added(registry, tmp_path / "b")
    assert again == first
    assert len(registry.versions("legal")) == 1


@pytest.mark.parametrize("changes", [{"options": {"r": 16}}, {"fingerprint": "1" * 64}, {"template": "2" * 64}, {"weights": "x"}])
def test_base_template_config_and_weights_are_each_part_of_the_digest(registry, tmp_path, changes):
    assert draft(registry, tmp_path / "a").digest != draft(registry, tmp_path / "b", **changes).digest


def test_a_stored_version_does_not_change_when_its_source_or_a_newer_version_does(registry, tmp_path):
    first = added(registry, tmp_path / "a")
    (tmp_path / "a" / "adapter_model.safetensors").write_text("changed later")
    added(registry, tmp_path / "b", weights="other")
    assert Registry(Project(tmp_path)).resolve("legal@1.0.0") == first
    assert (registry.folder(first) / "adapter_model.safetensors").read_text() == "w"


def test_a_number_that_another_process_took_meanwhile_is_not_used_twice(registry, tmp_path):
    mine, theirs = draft(registry, tmp_path / "a"), draft(registry, tmp_path / "b", weights="theirs")
    assert mine.version == theirs.version == "1.0.0"
    registry.add(theirs, tmp_path / "b")
    assert registry.add(mine, tmp_path / "a").version == "1.0.1"
    assert [m.digest for m in registry.versions("legal")] == [theirs.digest, mine.digest]


def test_a_bare_name_is_the_champion_else_the_newest(registry, tmp_path):
    first, second = added(registry, tmp_path / "a"), added(registry, tmp_path / "b", weights="other")
    assert registry.resolve("legal") == second
    registry.add_report(first, report(first))
    promote(registry, "legal@1.0.0")
    assert registry.resolve("legal") == registry.resolve("legal@champion") == first
    assert registry.resolve("legal@latest") == second


def test_F23_an_unknown_adapter_is_refused_with_the_nearest_name(registry, tmp_path):
    added(registry, tmp_path / "a")
    added(registry, tmp_path / "b", name="medical")
    with pytest.raises(AdapterNotFound) as refused:
        registry.resolve("leagl")
    assert refused.value.fix == "did you mean legal?"
    assert refused.value.allowed == "legal, medical, base"


def test_F23_an_unknown_version_is_refused_with_those_that_are_there(registry, tmp_path):
    added(registry, tmp_path / "a")
    with pytest.raises(AdapterNotFound) as refused:
        registry.resolve("legal@1.0.1")
    assert refused.value.fix == "did you mean legal@1.0.0?"
    assert refused.value.allowed == "1.0.0, latest"


@pytest.mark.parametrize(
    "name", ["../legal", "/etc", "legal/../legal", "legal@../1", "legal@/etc/passwd", "", ".", "..", "Legal", "a\\b", "a\0"]
)
def test_F31_a_name_with_parts_of_a_path_is_refused_and_never_looked_up(registry, tmp_path, name):
    added(registry, tmp_path / "a")
    with pytest.raises(AdapterNotFound, match="cannot be the name"):
        registry.resolve(name)


def test_differences_list_what_changed_and_nothing_else(registry, tmp_path):
    first = added(registry, tmp_path / "a")
    second = added(registry, tmp_path / "b", weights="other", options={"r": 16}, labels=list("abcdefgh"))
    found = {field: (left, right) for field, left, right in differences(first, second)}
    assert found["config.options.r"] == ("8", "16")
    assert found["config.labels"] == ("", "8 items (a, b, c, ...)")
    assert found["digest"] == (first.digest[:12], second.digest[:12])
    assert set(found) == {"config.options.r", "config.labels", "digest"}


def test_damaged_blobs_are_found_before_they_are_used(registry, tmp_path):
    manifest = added(registry, tmp_path / "a")
    blob = registry.blobs.path(manifest.files["adapter_model.safetensors"])
    blob.write_text("x")
    with pytest.raises(AdapterBroken, match="damaged on disk") as refused:
        registry.folder(manifest)
    assert str(blob) in refused.value.fix


def test_a_missing_blob_is_refused(registry, tmp_path):
    manifest = added(registry, tmp_path / "a")
    registry.blobs.path(manifest.files["adapter_model.safetensors"]).unlink()
    with pytest.raises(AdapterBroken, match="missing from the registry"):
        registry.folder(manifest)
    assert not list((tmp_path / ".hatrack").rglob(".staging-*"))


def test_a_damaged_copy_outside_the_blobs_is_made_anew(registry, tmp_path):
    manifest = added(registry, tmp_path / "a")
    (registry.folder(manifest) / "adapter_model.safetensors").write_text("x")
    assert (registry.folder(manifest) / "adapter_model.safetensors").read_text() == "w"


def test_adding_a_damaged_version_again_repairs_it(registry, tmp_path):
    manifest = added(registry, tmp_path / "a")
    registry.blobs.path(manifest.files["adapter_model.safetensors"]).write_text("x")
    assert added(registry, tmp_path / "a") == manifest
    assert (registry.folder(manifest) / "adapter_model.safetensors").read_text() == "w"


def test_a_full_disk_leaves_no_version_and_no_half_blob(registry, tmp_path, monkeypatch):
    manifest = draft(registry, tmp_path / "a")
    whole = shutil.copyfile

    def full(source, target):
        Path(target).write_text("half")
        if "config" in Path(source).name:
            raise OSError(errno.ENOSPC, "No space left on device")
        return whole(source, target)

    monkeypatch.setattr(shutil, "copyfile", full)
    with pytest.raises(StorageError, match="the disk is full"):
        registry.add(manifest, tmp_path / "a")
    assert registry.names() == []
    assert not list((tmp_path / ".hatrack").rglob(".staging-*"))
    assert not registry.blobs.path(manifest.files["adapter_config.json"]).exists()
    monkeypatch.undo()
    assert registry.add(manifest, tmp_path / "a").version == "1.0.0"


def test_a_database_that_is_none_is_refused(tmp_path):
    (tmp_path / ".hatrack").mkdir()
    (tmp_path / ".hatrack" / "registry.db").write_text("this is no database, but it is long enough to be taken for one" * 20)
    with pytest.raises(StorageError, match="cannot be opened"):
        Registry(Project(tmp_path))


def test_equal_files_of_two_adapters_are_one_blob(registry, tmp_path):
    added(registry, tmp_path / "a")
    before = len(list(registry.blobs.root.rglob("*")))
    added(registry, tmp_path / "b", name="medical")
    assert len(list(registry.blobs.root.rglob("*"))) == before
