"""Files and folders appear whole or not at all, and a refusing disk is one clear error."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from hatrack.core.atomic import STAGING, staged_folder, storage_errors, write_bytes, write_text
from hatrack.core.errors import StorageError


def leftovers(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if path.name.startswith(STAGING)]


def refuse(number: int):
    def fail(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    return fail


def test_a_staged_folder_takes_its_name_when_the_block_ends(tmp_path):
    target = tmp_path / "deep" / "adapter"
    with staged_folder(target) as staging:
        (staging / "a").write_text("1")
        assert not target.exists()
    assert (target / "a").read_text() == "1"
    assert not leftovers(target.parent)


def test_a_staged_folder_replaces_an_older_one_whole(tmp_path):
    target = tmp_path / "adapter"
    for name in ("old", "new"):
        with staged_folder(target) as staging:
            (staging / name).write_text(name)
    assert [path.name for path in target.iterdir()] == ["new"]
    assert not leftovers(tmp_path)


def test_a_failure_inside_leaves_the_old_target_and_no_leftovers(tmp_path):
    target = tmp_path / "adapter"
    with staged_folder(target) as staging:
        (staging / "a").write_text("old")

    def half_done() -> None:
        with staged_folder(target) as staging:
            (staging / "a").write_text("new")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        half_done()
    assert (target / "a").read_text() == "old"
    assert not leftovers(tmp_path)


def test_a_failure_of_the_very_last_rename_brings_the_old_target_back(tmp_path, monkeypatch):
    target = tmp_path / "adapter"
    with staged_folder(target) as staging:
        (staging / "a").write_text("old")
    real = os.replace

    def rename(source, destination):
        if Path(destination) == target and Path(source).name.startswith(STAGING):
            raise OSError(errno.ENOSPC, "full")
        real(source, destination)

    monkeypatch.setattr(os, "replace", rename)
    with pytest.raises(StorageError), staged_folder(target) as staging:
        (staging / "a").write_text("new")
    assert (target / "a").read_text() == "old"
    assert not leftovers(tmp_path)


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (errno.ENOSPC, "the disk is full"),
        (errno.EDQUOT, "the disk quota is used up"),
        (errno.EROFS, "the file system is read-only"),
        (errno.EACCES, "may not be written"),
    ],
)
def test_a_refusing_disk_says_what_and_what_to_do_and_keeps_the_old_file(tmp_path, monkeypatch, number, said):
    path = tmp_path / "report.json"
    write_text(path, "old")
    monkeypatch.setattr(os, "fsync", refuse(number))
    with pytest.raises(StorageError, match=said) as refused:
        write_text(path, "new")
    assert "do:" in str(refused.value)
    assert path.read_text() == "old"
    assert not leftovers(tmp_path)


def test_a_full_disk_inside_a_staged_folder_leaves_the_old_target(tmp_path):
    target = tmp_path / "adapter"
    with staged_folder(target) as staging:
        (staging / "a").write_text("old")
    with pytest.raises(StorageError, match="the disk is full"), staged_folder(target):
        refuse(errno.ENOSPC)()
    assert (target / "a").read_text() == "old"
    assert not leftovers(tmp_path)


def test_a_full_disk_reported_by_safetensors_is_a_storage_error_too(tmp_path):
    with pytest.raises(StorageError, match="the disk is full"), storage_errors(tmp_path / "a"):
        raise RuntimeError("I/O error: No space left on device (os error 28)")


def test_another_error_is_not_hidden(tmp_path):
    with pytest.raises(OSError, match="input/output"), storage_errors(tmp_path / "a"):
        raise OSError(errno.EIO, "input/output")
    with pytest.raises(RuntimeError, match="shapes differ"), storage_errors(tmp_path / "a"):
        raise RuntimeError("shapes differ")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_write_permission_is_a_storage_error(tmp_path):
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(StorageError, match="may not be written"):
            write_bytes(tmp_path / "a", b"x")
    finally:
        tmp_path.chmod(0o700)


def test_a_parent_that_is_missing_is_made(tmp_path):
    write_bytes(tmp_path / "a" / "b" / "c", b"x")
    assert (tmp_path / "a" / "b" / "c").read_bytes() == b"x"
