"""Axolotl configs, key by key: what each becomes, and that nothing is dropped."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from hatrack.core.config import ProjectConfig
from hatrack.core.errors import ConfigError
from hatrack.training.axolotl.convert import convert
from hatrack.training.axolotl.keys import ALIKE, HARMLESS, MOVED, OFF, READ

CONFIGS = Path(__file__).parents[2] / "axolotl_configs"


def read(name):
    config, unmatched = convert((CONFIGS / name).read_text())
    ((adapter, entry),) = config["adapters"].items()
    return config["base"], adapter, entry, unmatched


def decided(unmatched):
    return {one.key for one in unmatched if one.decides}


def with_key(key, value, **more):
    base = {"base_model": "b", "adapter": "lora", "datasets": [{"path": "d.jsonl", "type": "alpaca"}], "val_set_size": 0.1, **more}
    return convert(yaml.safe_dump({**base, key: value}))


def entry_of(config):
    return next(iter(config["adapters"].values()))


def test_a_lora_on_instructions():
    base, name, entry, unmatched = read("lora.yml")
    assert (base, name) == ("models/tiny", "tax-lora")
    assert entry == {
        "data": {"train": "data/tax.jsonl", "layout": "alpaca"},
        "task": "instruct",
        "split": [0.8, 0.1, 0.1],
        "method": "lora",
        "train": {
            "schedule": "cosine",
            "max_length": 1024,
            "batch_size": 4,
            "accumulation": 2,
            "epochs": 2,
            "learning_rate": 2e-4,
            "warmup": 0.05,
            "weight_decay": 0.01,
            "evals_per_epoch": 4,
        },
        "r": 32,
        "alpha": 64,
        "dropout": 0.05,
    }
    assert decided(unmatched) == set()
    said = {one.key for one in unmatched}
    assert said >= {"sample_packing", "optimizer", "bf16", "gradient_checkpointing", "flash_attention", "wandb_project", "saves_per_epoch"}
    assert not said & {"wandb_entity", "lora_modules_to_save", "lora_target_linear", "model_type"}


def test_a_qlora_on_conversations_with_a_validation_file():
    _, name, entry, unmatched = read("qlora_chat.yml")
    assert name == "axolotl"
    assert entry["data"] == {"train": "data/talks.json", "layout": "sharegpt", "validation": "data/held-out.json"}
    assert entry["method"] == "qlora"
    assert entry["target_modules"] == ["q_proj", "v_proj"]
    assert entry["train"] == {
        "schedule": "constant", "max_length": 512, "batch_size": 1, "accumulation": 16, "learning_rate": 1e-4, "patience": 3,
        "epochs": 1, "warmup": 0.03,
    }  # fmt: skip
    assert unmatched == []


@pytest.mark.parametrize("more", [{}, {"warmup_ratio": 0.1}, {"warmup_steps": 100}])
def test_a_constant_learning_rate_does_not_rise(more):
    config, unmatched = with_key("lr_scheduler", "constant", **more)
    settings = entry_of(config)["train"]
    assert (settings["schedule"], settings["warmup"]) == ("constant", 0)
    assert decided(unmatched) == set()
    assert set(more) <= {one.key for one in unmatched}


def test_whatever_would_train_another_model_is_named_with_its_reason():
    _, _, entry, unmatched = read("full_text.yml")
    assert (entry["method"], entry["task"], entry["columns"]) == ("full", "complete", {"text": "body"})
    assert decided(unmatched) == {
        "datasets[1]", "lr_scheduler", "optimizer", "warmup_steps", "max_steps", "chat_template", "neftune_noise_alpha", "tokens",
        "wamrup_ratio",
    }  # fmt: skip
    reasons = {one.key: one.reason for one in unmatched}
    assert reasons["wamrup_ratio"] == "not known here; did you mean warmup_ratio?"
    assert "F06" in reasons["chat_template"]
    assert all(reasons.values())


def test_preferences_with_columns_of_their_own():
    _, _, entry, unmatched = read("orpo.yml")
    assert (entry["task"], entry["method"]) == ("prefer", "dora")
    assert entry["columns"] == {"prompt": "question", "chosen": "good", "rejected": "bad"}
    assert entry["preference"] == {"loss": "orpo", "beta": 0.2}
    assert decided(unmatched) == set()


@pytest.mark.parametrize("name", ["lora.yml", "qlora_chat.yml", "full_text.yml", "orpo.yml"])
def test_what_comes_out_is_a_config_and_says_every_key_that_went_in(name):
    config, unmatched = convert((CONFIGS / name).read_text())
    ProjectConfig.model_validate(config)
    given = {key for key, value in yaml.safe_load((CONFIGS / name).read_text()).items() if value is not None}
    said = {one.key.split("[")[0].split(".")[0] for one in unmatched}
    assert given - said <= {*MOVED, *ALIKE, *OFF, *HARMLESS, *READ}, "dropped in silence"


@pytest.mark.parametrize("key", sorted(OFF))
def test_what_has_no_counterpart_is_silent_only_while_it_is_off(key):
    assert key not in {one.key for one in with_key(key, False)[1]}
    missed = {one.key: one for one in with_key(key, "on")[1]}
    assert missed[key].decides
    assert missed[key].reason


@pytest.mark.parametrize("key", sorted(set(HARMLESS) - {"optimizer", "val_set_size", "load_best_model_at_end"}))
def test_what_decides_nothing_is_listed_all_the_same(key):
    missed = {one.key: one for one in with_key(key, "x")[1]}
    assert not missed[key].decides


@pytest.mark.parametrize("key", sorted(MOVED))
def test_every_moved_key_arrives_where_the_table_says(key):
    value = ["q_proj"] if key == "lora_target_modules" else "text" if "message" in key else 3
    place = entry_of(with_key(key, value)[0])
    for part in MOVED[key].split("."):
        place = place[part]
    assert place == value


def test_the_table_has_each_key_in_one_place():
    assert not set(MOVED) & {*OFF, *HARMLESS}
    assert not set(OFF) & set(HARMLESS)


@pytest.mark.parametrize(
    ("keys", "method", "missed"),
    [
        ({"load_in_4bit": True}, "qlora", set()),
        ({"adapter": "qlora"}, "qlora", {"adapter"}),
        ({"peft_use_rslora": True}, "rslora", set()),
        ({"loraplus_lr_ratio": 16}, "lora+", set()),
        ({"peft_use_rslora": True, "peft_use_dora": True}, "dora", {"peft_use_rslora"}),
        ({"adapter": "ia3"}, "lora", {"adapter"}),
        ({"load_in_8bit": True}, "lora", {"load_in_8bit"}),
    ],
)
def test_the_method_follows_from_several_keys(keys, method, missed):
    config, unmatched = with_key("learning_rate", 1e-4, **keys)
    assert entry_of(config)["method"] == method
    assert decided(unmatched) == missed


@pytest.mark.parametrize(
    ("dataset", "missed"),
    [
        ({"path": "org/set", "type": "alpaca"}, {"datasets[0].path"}),
        ({"path": "json", "data_files": ["d.jsonl"], "type": "alpaca"}, set()),
        ({"path": "json", "data_files": ["d.jsonl", "e.jsonl"], "type": "alpaca"}, {"datasets[0].data_files"}),
        ({"path": "d.jsonl", "type": "pygmalion"}, {"datasets[0].type"}),
        ({"path": "d.jsonl", "type": "chat_template", "roles_to_train": ["user"]}, {"datasets[0].roles_to_train"}),
        ({"path": "d.jsonl", "type": "chat_template", "chat_template": "chatml"}, {"datasets[0].chat_template"}),
        ({"path": "d.jsonl", "type": "alpaca", "shards": 4}, {"datasets[0].shards"}),
        ({"path": "d.jsonl", "type": {"field_instruction": "q", "field_output": "a", "format": "{instruction}"}}, set()),
        ({"path": "d.jsonl", "type": {"field_instruction": "q", "format": "Q: {instruction}"}}, {"datasets[0].type.format"}),
        ({"path": "d.jsonl", "type": {"field_input": "context"}}, {"datasets[0].type.field_input"}),
    ],
)
def test_a_data_set_is_one_file_of_a_known_layout(dataset, missed):
    assert decided(with_key("datasets", [dataset])[1]) == missed


@pytest.mark.parametrize(("share", "split"), [(0.05, [0.9, 0.05, 0.05]), (0.0, [0.8, 0.1, 0.1]), (500, [0.8, 0.1, 0.1])])
def test_rows_are_held_out_for_validation_and_for_the_proof(share, split):
    config, _ = with_key("val_set_size", share)
    assert entry_of(config)["split"] == split


@pytest.mark.parametrize("text", ["- a\n- b", "datasets: []", "base_model:", "a: [", ""])
def test_what_is_no_axolotl_config_is_refused(text):
    with pytest.raises(ConfigError):
        convert(text)
