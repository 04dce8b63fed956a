"""``hatrack train --axolotl``: converted, told, checked, written, trained."""

from __future__ import annotations

import json

import pytest
import yaml

from conftest import label_rows, make_causal, write_jsonl
from projects import speaking_base


@pytest.fixture
def place(tmp_path, tiny_causal):
    rows = [{"id": r["id"], "prompt": r["text"], "response": f"it is {r['label']}"} for r in label_rows(40)]
    write_jsonl(tmp_path / "d.jsonl", rows)
    config = {
        "base_model": str(speaking_base(tiny_causal)),
        "adapter": "lora",
        "lora_r": 4,
        "lora_alpha": 8,
        "datasets": [{"path": "d.jsonl", "type": {"field_instruction": "prompt", "field_output": "response", "format": "{instruction}"}}],
        "val_set_size": 0.1,
        "sequence_len": 64,
        "micro_batch_size": 8,
        "num_epochs": 1,
        "learning_rate": "2e-3",
        "output_dir": "out/colours",
        "flash_attention": True,
    }

    def write(**more):
        path = tmp_path / "config.yml"
        path.write_text(yaml.safe_dump({**config, **more}))
        return path

    return tmp_path, write


def test_it_is_trained_and_the_differences_are_said(place, hatrack):
    root, write = place
    ran = hatrack("train", "--axolotl", str(write()), project=root)
    assert ran.code == 0, ran.err
    assert "colours@1.0.0" in ran.out
    assert "flash_attention: another way to the same attention" in ran.err
    written = yaml.safe_load((root / "hatrack.yaml").read_text())
    assert written["adapters"]["colours"]["train"]["learning_rate"] == 2e-3
    assert hatrack("train", "--axolotl", str(write()), project=root).code == 0, "the same config again is the same project"


def talks(root):
    rows = [
        {"conversations": [{"from": "human", "value": r["text"]}, {"from": "gpt", "value": f"it is {r['label']}"}]} for r in label_rows(40)
    ]
    write_jsonl(root / "talks.jsonl", rows)
    properties = {"message_property_mappings": {"role": "from", "content": "value"}, "field_messages": "conversations"}
    return [{"path": "talks.jsonl", "type": "chat_template", **properties, "roles_to_train": ["assistant"]}]


def alpaca(root):
    write_jsonl(root / "alpaca.jsonl", [{"instruction": r["text"], "input": "", "output": f"it is {r['label']}"} for r in label_rows(40)])
    return [{"path": "alpaca.jsonl", "type": "alpaca"}]


@pytest.mark.parametrize("rows", [talks, alpaca])
@pytest.mark.parametrize(
    ("method", "keys"),
    [
        ("lora", {"adapter": "lora"}),
        ("qlora", {"adapter": "qlora", "load_in_4bit": True}),
        ("full", {"adapter": None, "lora_r": None, "lora_alpha": None}),
    ],
)
def test_the_common_configs_are_trained(place, hatrack, tmp_path_factory, rows, method, keys):
    root, write = place
    base = speaking_base(make_causal(tmp_path_factory.mktemp("wide") / "wide-llama", width=64))  # 4 bits need inputs of 64
    ran = hatrack("train", "--axolotl", str(write(base_model=str(base), datasets=rows(root), **keys)), "--json", project=root)
    assert ran.code == 0, ran.err
    [manifest] = json.loads(ran.out)
    assert (manifest["config"]["method"], manifest["config"]["task"]) == (method, "instruct")
    assert manifest["data"]["rows"] == {"train": 32, "validation": 4, "test": 4}


def test_a_difference_that_matters_stops_it_until_it_is_accepted(place, hatrack):
    root, write = place
    path = str(write(neftune_noise_alpha=5))
    ran = hatrack("train", "--axolotl", path, project=root)
    assert ran.code == 2
    assert "neftune_noise_alpha: there is no NEFTune" in ran.err
    assert not (root / "hatrack.yaml").exists()
    assert hatrack("train", "--axolotl", path, "--accept", project=root).code == 0


def test_another_hatrack_yaml_is_not_written_over(place, hatrack):
    root, write = place
    (root / "hatrack.yaml").write_text("base: other\n")
    ran = hatrack("train", "--axolotl", str(write()), project=root)
    assert ran.code == 2
    assert "says something else" in ran.err
    assert (root / "hatrack.yaml").read_text() == "base: other\n"


def test_a_value_that_cannot_be_is_refused_like_in_any_config(place, hatrack):
    root, write = place
    ran = hatrack("train", "--axolotl", str(write(learning_rate="fast", num_epochs=-1)), project=root)
    assert ran.code == 2
    assert "2 faults" in ran.err


def test_a_file_that_is_not_there_is_refused(place, hatrack):
    root, _ = place
    ran = hatrack("train", "--axolotl", str(root / "none.yml"), project=root)
    assert ran.code == 2
    assert "cannot be read" in ran.err
