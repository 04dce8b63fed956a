from __future__ import annotations

import json

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

from conftest import make_causal
from hatrack.core.errors import ConfigError
from hatrack.models.causal import last_logits
from hatrack.training.methods.base import METHODS, option_model
from hatrack.training.methods.lora.method import Lora
from hatrack.training.methods.lora.options import LoraOptions
from tiny_training import train

PROMPTS = [[5, 6, 7, 8], [9, 10, 11]]


@pytest.fixture
def llama(tiny_causal):
    return AutoModelForCausalLM.from_pretrained(tiny_causal).eval()


def test_training_starts_at_the_base(llama):
    before = last_logits(llama, PROMPTS)
    adapted, _ = Lora().apply(llama, LoraOptions(r=4), "causal")
    assert torch.allclose(last_logits(adapted.eval(), PROMPTS), before, atol=1e-5)


def test_the_update_is_scaled_by_alpha_over_r(llama):
    adapted, _ = Lora().apply(llama, LoraOptions(r=4, alpha=6, target_modules=("q_proj",)), "causal")
    layer = adapted.base_model.model.model.layers[0].self_attn.q_proj
    with torch.no_grad():
        layer.lora_B["default"].weight.normal_()
    x = torch.randn(2, 48)
    a, b = layer.lora_A["default"].weight, layer.lora_B["default"].weight
    expected = layer.base_layer(x) + 6 / 4 * x @ a.T @ b.T
    assert torch.allclose(layer(x), expected, atol=1e-5)


def test_export_writes_safetensors_and_json_and_the_same_bytes_twice(llama, tmp_path):
    adapted, _ = Lora().apply(llama, LoraOptions(r=4), "causal")
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        Lora().export(adapted, tmp_path / folder, "some/base")
    files = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert files == ["adapter_config.json", "adapter_model.safetensors"]
    targets = json.loads((tmp_path / "a" / "adapter_config.json").read_text())["target_modules"]
    assert targets == sorted(targets), "PEFT keeps a set, whose order is another one in every process"
    assert all((tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes() for name in files)


def test_the_exported_files_open_in_peft_itself(make_project, tiny_causal):
    from peft import PeftModel

    trained = train(make_project("classify-by-text", train={"epochs": 1}))
    plain = AutoModelForCausalLM.from_pretrained(tiny_causal).eval()
    probe = load_file(trained.folder / "probe.safetensors")
    prompts = [row[:length].tolist() for row, length in zip(probe["inputs"], probe["lengths"], strict=True)]
    logits = last_logits(PeftModel.from_pretrained(plain, str(trained.folder)).eval(), prompts).gather(1, probe["indices"])
    assert torch.allclose(logits, probe["adapted"], atol=1e-4)
    assert not torch.allclose(logits, probe["base"], atol=1e-3)


def test_the_config_names_its_base_and_no_path(make_project, tmp_path):
    base = make_causal(tmp_path / "my-llama")
    trained = train(make_project("classify-by-text", base=base, train={"epochs": 0.2}))
    text = (trained.folder / "adapter_config.json").read_text()
    assert json.loads(text)["base_model_name_or_path"] == "my-llama"
    assert str(tmp_path) not in text


def test_an_unknown_method_is_refused_with_did_you_mean():
    with pytest.raises(ConfigError) as refused:
        METHODS.get("lroa")
    assert refused.value.fix == "did you mean lora?"
    with pytest.raises(ConfigError):
        option_model("nothing")
