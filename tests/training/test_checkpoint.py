from __future__ import annotations

import json

import pytest

from hatrack.training.checkpoint import SEAL, latest_sealed, seal


def checkpoint(run, step, sealed=True):
    folder = run / f"checkpoint-{step}"
    folder.mkdir(parents=True)
    (folder / "trained.safetensors").write_bytes(b"weights %d" % step)
    (folder / "trainer_state.json").write_text("{}")
    if sealed:
        seal(folder)
    return folder


def test_there_is_none_in_a_new_run(tmp_path):
    assert latest_sealed(tmp_path) is None
    assert latest_sealed(tmp_path / "nowhere") is None


def test_the_newest_is_found_by_number_not_by_name(tmp_path):
    checkpoint(tmp_path, 9)
    newest = checkpoint(tmp_path, 10)
    assert latest_sealed(tmp_path) == newest


def test_F12_an_unsealed_checkpoint_is_ignored_and_removed(tmp_path):
    older = checkpoint(tmp_path, 3)
    torn = checkpoint(tmp_path, 6, sealed=False)
    assert latest_sealed(tmp_path) == older
    assert not torn.exists()


def cut(folder):
    (folder / "trained.safetensors").write_bytes(b"weig")


def flip(folder):
    (folder / "trained.safetensors").write_bytes(b"weights 7")


def lose(folder):
    (folder / "trainer_state.json").unlink()


def tear_seal(folder):
    (folder / SEAL).write_text((folder / SEAL).read_text()[:20])


def empty_seal(folder):
    (folder / SEAL).write_text("")


@pytest.mark.parametrize("damage", [cut, flip, lose, tear_seal, empty_seal])
def test_F12_a_damaged_checkpoint_is_ignored_and_removed(tmp_path, damage):
    older = checkpoint(tmp_path, 3)
    damaged = checkpoint(tmp_path, 6)
    damage(damaged)
    assert latest_sealed(tmp_path) == older
    assert not damaged.exists()


def test_a_seal_covers_every_file(tmp_path):
    folder = checkpoint(tmp_path, 1)
    assert set(json.loads((folder / SEAL).read_text())) == {"trained.safetensors", "trainer_state.json"}


def test_sealing_again_changes_nothing(tmp_path):
    folder = checkpoint(tmp_path, 1)
    before = (folder / SEAL).read_bytes()
    seal(folder)
    assert (folder / SEAL).read_bytes() == before
