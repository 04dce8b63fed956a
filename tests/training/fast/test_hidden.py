"""Hidden states of frozen blocks: computed once, kept, and never those of something else."""

from __future__ import annotations

import os

import numpy as np
import pytest
import torch

from hatrack.core.config_train import FastSettings
from hatrack.core.errors import StorageError, TrainingError
from hatrack.training.fast.choose import accelerate
from hatrack.training.fast.hidden import Rows, make_room
from hatrack.training.objectives.base import Item
from hatrack.training.objectives.causal import Instruct
from tiny_architectures import batch_of, causal, encoder, train_last


def speed_up(trainee, items, home, fingerprint="base", collate=None, **settings):
    return accelerate(
        trainee,
        trainee.adapted,
        trainee.adapted,
        items,
        collate or (lambda rows: Instruct().collate(rows, 0)),
        FastSettings(**{"packing": "off", "label_only": "off", "onednn": "off", **settings}),
        home,
        fingerprint,
    )


def files_of(home):
    return sorted(home.glob("*/states.npy"))


def computing(module):
    """How many tokens a block really computes on: its inner attention runs."""
    tokens = []
    module.register_forward_hook(lambda m, args, kwargs, out: tokens.append(out[0].shape[1]), with_kwargs=True)
    return tokens


def test_frozen_blocks_are_not_run_again(tmp_path):
    trainee, items = causal("Llama")
    speed_up(trainee, items, tmp_path)
    layers = trainee.adapted.model.layers
    frozen, trained = computing(layers[2].self_attn), computing(layers[3].self_attn)
    trainee.loss_sum(batch_of(trainee, items[:4])).backward()
    assert not frozen
    assert trained


def test_a_second_run_uses_what_the_first_has_kept(tmp_path):
    trainee, items = causal("Llama")
    speed_up(trainee, items, tmp_path)
    [file] = files_of(tmp_path)
    before = file.stat().st_mtime_ns
    expected = trainee.loss_sum(batch_of(trainee, items)).item()
    again, _ = causal("Llama")
    speed_up(again, items, tmp_path)
    assert files_of(tmp_path) == [file]
    assert file.stat().st_mtime_ns == before
    assert again.loss_sum(batch_of(again, items)).item() == expected


def test_F15_other_rows_and_another_base_are_other_files(tmp_path):
    for name, count, fingerprint in (("Llama", 9, "a"), ("Llama", 8, "a"), ("Llama", 9, "b")):
        trainee, items = causal(name)
        speed_up(trainee, items[:count], tmp_path, fingerprint)
    assert len(files_of(tmp_path)) == 3


def test_F15_another_depth_is_another_file(tmp_path):
    for blocks in (1, 2):
        trainee, items = causal("Llama")
        train_last(trainee.adapted, blocks)
        speed_up(trainee, items, tmp_path)
    assert len(files_of(tmp_path)) == 2


def test_F15_states_of_the_same_base_loaded_in_another_way_are_not_believed(tmp_path):
    trainee, items = causal("Llama")
    speed_up(trainee, items, tmp_path)
    other, _ = causal("Llama")
    with torch.no_grad():  # as quantisation does, under the same fingerprint
        other.adapted.model.layers[0].mlp.up_proj.weight.mul_(1.05)
    found = speed_up(other, items, tmp_path)
    assert found.used == ["3 of 4 blocks computed once (0 MB on disk)"]
    batch = batch_of(other, items)
    quick = other.loss_sum(batch).item()
    other.fast = None
    assert quick == pytest.approx(other.loss_sum(batch).item(), rel=1e-5)


def test_states_that_became_too_few_are_computed_again(tmp_path):
    trainee, items = causal("Llama")
    speed_up(trainee, items, tmp_path)
    [file] = files_of(tmp_path)
    np.save(file, np.load(file)[:-1])
    speed_up(causal("Llama")[0], items, tmp_path)
    assert len(np.load(file)) == Rows.of([item.ids for item in items], 5).tokens


def test_what_all_rows_begin_with_and_what_occurs_twice_is_kept_once(tmp_path):
    trainee, items = causal("Llama", beginning=5)
    speed_up(trainee, [*items, Item(99, items[0].ids, items[0].labels)], tmp_path)
    [file] = files_of(tmp_path)
    assert np.load(file).shape == (5 + sum(len(item.ids) - 5 for item in items), 32)


def test_an_encoder_shares_no_beginnings(tmp_path):
    trainee, items = encoder("Bert")
    items = [Item(i.row, (7, 8, *i.ids), i.labels) for i in items]
    from hatrack.training.objectives.classify import Classify

    speed_up(trainee, items, tmp_path, collate=lambda rows: Classify().collate(rows, 0))
    [file] = files_of(tmp_path)
    assert len(np.load(file)) == sum(len(item.ids) for item in items)


def test_a_trained_lowest_block_needs_no_words_unless_it_was_asked_for(tmp_path):
    trainee, items = causal("Llama")
    trainee.adapted.model.layers[0].mlp.up_proj.weight.requires_grad_(True)
    assert str(speed_up(trainee, items, tmp_path)) == "the plain path"
    with pytest.raises(TrainingError, match=r"train.fast.prefix_cache cannot be on\n.*trained in the lowest block"):
        speed_up(trainee, items, tmp_path, prefix_cache="on")


def test_trained_embeddings_are_below_every_block(tmp_path):
    trainee, items = causal("Llama")
    trainee.adapted.model.embed_tokens.weight.requires_grad_(True)
    assert str(speed_up(trainee, items, tmp_path)) == "the plain path"


def test_dropout_in_the_frozen_blocks_keeps_them_running(tmp_path):
    trainee, items = causal("Llama")
    for layer in trainee.adapted.model.layers:
        layer.self_attn.attention_dropout = 0.1
    generator = torch.random.get_rng_state()
    found = speed_up(trainee, items, tmp_path)
    assert found.left == ["prefix_cache off: dropout is active in the frozen blocks (train.base_dropout: off turns it off)"]
    assert torch.equal(torch.random.get_rng_state(), generator), "F11: no random number was taken"
    with pytest.raises(TrainingError, match="base_dropout"):
        speed_up(trainee, items, tmp_path, prefix_cache="on")


def test_dropout_above_the_frozen_blocks_does_no_harm(tmp_path):
    trainee, items = causal("Llama")
    trainee.adapted.model.layers[3].self_attn.attention_dropout = 0.1
    assert not speed_up(trainee, items, tmp_path).left


def test_too_much_for_the_disk_is_not_written(tmp_path):
    trainee, items = causal("Llama")
    found = speed_up(trainee, items, tmp_path, cache_gb=1e-6)
    assert not files_of(tmp_path)
    assert "of disk, of 0.0 free or allowed (train.fast.cache_gb)" in found.left[0]
    with pytest.raises(TrainingError, match="cache_gb"):
        speed_up(trainee, items, tmp_path, cache_gb=1e-6, prefix_cache="on")


def test_a_disk_that_fills_up_leaves_nothing_half_written(tmp_path, monkeypatch):
    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np.lib.format, "open_memmap", full)
    trainee, items = causal("Llama")
    with pytest.raises(StorageError, match="the disk is full"):
        speed_up(trainee, items, tmp_path)
    assert not list(tmp_path.iterdir())


def test_what_was_not_used_for_longest_goes_when_room_is_needed(tmp_path):
    for age, name in enumerate(("old", "young", "between")):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "states.npy").write_bytes(b"x" * 100)
        os.utime(folder, (1000 - age * 10,) * 2)
    os.utime(tmp_path / "old", (1, 1))
    os.utime(tmp_path / "young", (2000, 2000))
    assert make_room(tmp_path, 150, 300) == 300
    assert [folder.name for folder in tmp_path.iterdir()] == ["young"]
    make_room(tmp_path, 400, 300)
    assert [folder.name for folder in tmp_path.iterdir()] == ["young"], "what can never fit costs nothing"
