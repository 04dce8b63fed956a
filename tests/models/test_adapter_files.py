"""F22: an adapter's files are safetensors and a config of known keys; anything else is refused with its name."""

from __future__ import annotations

import json
import os
import pickle

import pytest
import torch
from safetensors.torch import load_file, save_file

from hatrack.core.errors import AdapterBroken
from hatrack.models.adapters.folder import CARD, CONFIG, WEIGHTS, read_card, read_tensors
from hatrack.models.adapters.lora import read_lora, read_lora_config

KEY = "base_model.model.model.layers.2.self_attn.q_proj.lora_{}.weight"


@pytest.fixture
def folder(spoiled, adapter_a):
    return spoiled(adapter_a)


@pytest.fixture
def edit_tensors(folder):
    def edit(change) -> None:
        tensors = load_file(folder / WEIGHTS)
        change(tensors)
        save_file(tensors, folder / WEIGHTS)

    return edit


def test_the_matrices_are_read_with_the_scaling_folded_in(folder):
    tensors = load_file(folder / WEIGHTS)
    a, b = read_lora(folder).layers["model.layers.2.self_attn.q_proj"]
    assert torch.equal(a, tensors[KEY.format("A")])
    assert torch.equal(b, tensors[KEY.format("B")] * 2)  # alpha 8, r 4


def test_rank_stabilised_scaling_divides_by_the_root(folder, edit_json):
    edit_json(folder / CONFIG, use_rslora=True)
    _, b = read_lora(folder).layers["model.layers.2.self_attn.q_proj"]
    assert torch.allclose(b, load_file(folder / WEIGHTS)[KEY.format("B")] * 4)


@pytest.mark.parametrize(
    "changes",
    [
        {"use_dora": "yes"},
        {"auto_mapping": {"base_model_class": "X", "parent_library": "evil"}},
        {"modules_to_save": ["lm_head"]},
        {"bias": "all"},
        {"lora_bias": True},
        {"fan_in_fan_out": True},
        {"rank_pattern": {"q_proj": 2}},
        {"alpha_pattern": {"q_proj": 2}},
        {"layer_replication": [[0, 2]]},
        {"trainable_token_indices": [1]},
        {"peft_type": "IA3"},
        {"init_lora_weights": "pissa"},
        {"use_rslora": "yes"},
        {"something_new": 1},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_F22_a_key_that_is_not_understood_is_refused_with_its_name(folder, edit_json, changes):
    edit_json(folder / CONFIG, **changes)
    with pytest.raises(AdapterBroken, match="asks for something Hatrack does not apply") as refused:
        read_lora(folder)
    assert f"{next(iter(changes))}: " in str(refused.value)


def test_F22_a_key_that_is_switched_off_does_no_harm(folder, edit_json):
    edit_json(folder / CONFIG, something_new=None, use_dora=False, modules_to_save=None, rank_pattern={})
    assert read_lora_config(folder)["r"] == 4


@pytest.mark.parametrize(
    "changes", [{"r": 0}, {"r": -4}, {"r": "4"}, {"r": None}, {"lora_alpha": float("nan")}, {"lora_alpha": float("inf")}]
)
def test_a_rank_or_scale_that_is_no_positive_number_is_refused(folder, edit_json, changes):
    edit_json(folder / CONFIG, **changes)
    with pytest.raises(AdapterBroken, match="a positive number is needed"):
        read_lora(folder)


@pytest.mark.parametrize("content", ["", "{", "[]", "\x00"])
def test_a_config_that_cannot_be_read_is_refused(folder, content):
    (folder / CONFIG).write_text(content)
    with pytest.raises(AdapterBroken, match=CONFIG):
        read_lora(folder)


class Bomb:
    def __init__(self, path) -> None:
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("name", ["adapter_model.bin", WEIGHTS])
def test_F22_a_pickle_is_never_opened(folder, tmp_path, name):
    (folder / WEIGHTS).unlink()
    (folder / name).write_bytes(pickle.dumps(Bomb(tmp_path / "exploded")))
    with pytest.raises(AdapterBroken, match=WEIGHTS):
        read_lora(folder)
    assert not (tmp_path / "exploded").exists()


@pytest.mark.parametrize("kept", [0, 10, 2000])
def test_truncated_matrices_are_refused(folder, kept):
    (folder / WEIGHTS).write_bytes((folder / WEIGHTS).read_bytes()[:kept])
    with pytest.raises(AdapterBroken, match=WEIGHTS):
        read_lora(folder)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_matrices_that_hold_no_number_are_refused(folder, edit_tensors, value):
    edit_tensors(lambda tensors: tensors[KEY.format("A")][0].fill_(value))
    with pytest.raises(AdapterBroken, match="holds NaN or infinity"):
        read_lora(folder)


@pytest.mark.parametrize(
    "change",
    [
        lambda t: t.pop(KEY.format("B")),
        lambda t: t.update({KEY.format("A"): torch.ones(5, 48)}),
        lambda t: t.update({KEY.format("B"): torch.ones(48, 3)}),
        lambda t: t.update({KEY.format("A"): torch.ones(4)}),
        lambda t: t.update({"model.layers.0.mlp.up_proj.weight": torch.ones(2)}),
        lambda t: t.update({KEY.format("A").replace("lora_A", "lora_magnitude_vector"): torch.ones(2)}),
        lambda t: t.clear(),
    ],
    ids=["half", "rank-A", "rank-B", "one-dimension", "base-weight", "dora-vector", "none"],
)
def test_tensors_that_are_no_pairs_of_the_stated_rank_are_refused(folder, edit_tensors, change):
    edit_tensors(change)
    with pytest.raises(AdapterBroken, match="does not match"):
        read_lora(folder)


@pytest.mark.parametrize("changes", [{"task": "other"}, {"kind": "hatrack.card/2"}, {"extra": 1}, {"template_hash": None}])
def test_a_card_that_is_none_is_refused(folder, edit_json, changes):
    edit_json(folder / CARD, **changes)
    with pytest.raises(AdapterBroken, match=CARD):
        read_card(folder)


def test_a_card_is_read_as_it_was_written(folder, tmp_path):
    card = read_card(folder)
    assert (card.task, card.labels) == ("classify-by-text", ("blue", "green", "red"))
    card.write(tmp_path)
    assert read_card(tmp_path) == card
    assert json.loads((tmp_path / CARD).read_text()) == json.loads((folder / CARD).read_text())


def test_a_missing_file_is_refused(folder):
    (folder / CARD).unlink()
    with pytest.raises(AdapterBroken, match=CARD):
        read_card(folder)
    with pytest.raises(AdapterBroken, match="nothing"):
        read_tensors(folder / "nothing.safetensors")
