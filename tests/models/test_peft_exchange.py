"""PEFT reads what Hatrack writes and Hatrack reads what PEFT writes, with the same logits, wherever PEFT knows the form."""

from __future__ import annotations

import pytest
import torch
from peft import IA3Config, LNTuningConfig, LoraConfig, PeftModel, PrefixTuningConfig, PromptTuningConfig, VeraConfig, get_peft_model
from transformers import AutoModelForCausalLM

from hatrack.models.adapters.base import read_variants
from hatrack.models.adapters.switch import Active, Switch, place
from hatrack.models.causal import last_logits
from hatrack.models.host import ModelHost
from hatrack.models.loading import load_module
from models.conftest import train

PROMPTS = [[2, 60, 70, 80, 90], [2, 61, 71]]
LINEARS = ["q_proj", "v_proj", "up_proj"]
OURS = {
    "lora": {"r": 4},
    "rslora": {"r": 4},
    "lora+": {"r": 4},
    "dora": {"r": 4},
    "pissa": {"r": 4},
    "adalora": {"init_r": 4, "target_r": 2},
    "vera": {"r": 16},
    "ia3": {},
    "ln": {},
    "prefix": {"tokens": 5},
    "prompt": {"tokens": 3},
    "ptuning": {"tokens": 3, "hidden": 16},
    "llama-adapter": {"tokens": 4},
}
THEIRS = {
    "lora": LoraConfig(r=4, lora_alpha=8, target_modules=LINEARS, task_type="CAUSAL_LM"),
    "rslora": LoraConfig(r=4, lora_alpha=8, target_modules=LINEARS, use_rslora=True, task_type="CAUSAL_LM"),
    "dora": LoraConfig(r=4, lora_alpha=8, target_modules=LINEARS, use_dora=True, task_type="CAUSAL_LM"),
    "some-layers": LoraConfig(r=4, target_modules=LINEARS, layers_to_transform=[1, 2], task_type="CAUSAL_LM"),
    "ia3": IA3Config(target_modules=["k_proj", "v_proj", "down_proj"], feedforward_modules=["down_proj"], task_type="CAUSAL_LM"),
    "vera": VeraConfig(r=8, target_modules=LINEARS, task_type="CAUSAL_LM"),
    "ln": LNTuningConfig(target_modules=["input_layernorm", "norm"], task_type="CAUSAL_LM"),
    "prefix": PrefixTuningConfig(num_virtual_tokens=4, task_type="CAUSAL_LM"),
    "prompt": PromptTuningConfig(num_virtual_tokens=4, task_type="CAUSAL_LM"),
}


def one_by_one(model):
    with torch.inference_mode():
        return torch.stack([model(input_ids=torch.tensor([ids])).logits[0, -1] for ids in PROMPTS])


@pytest.fixture
def plain(causal_files):
    return AutoModelForCausalLM.from_pretrained(causal_files.folder, dtype=torch.float32).eval()


# PEFT measures every layer it wraps and finds no linear one where it tunes norms; it does not use what it did not find.
without_warning = pytest.mark.filterwarnings("ignore:Unsupported layer type .*RMSNorm:UserWarning")


@without_warning
@pytest.mark.parametrize("name", OURS)
def test_F21_peft_gives_the_logits_that_hatrack_serves(causal_files, plain, tmp_path, name):
    folder = train(tmp_path, causal_files, "classify-by-text", 1, method=name, **OURS[name])
    host = ModelHost(causal_files)
    host.attach(name, folder)
    with host.using(name):
        ours = last_logits(host.module, PROMPTS)
    assert not torch.allclose(ours, one_by_one(plain), atol=1e-3)
    assert torch.allclose(one_by_one(PeftModel.from_pretrained(plain, folder).eval()), ours, atol=1e-4)


@without_warning
@pytest.mark.parametrize("name", THEIRS)
def test_an_adapter_that_plain_peft_saved_is_read_and_acts_as_in_peft(causal_files, plain, tmp_path, name):
    torch.manual_seed(0)
    theirs = get_peft_model(plain, THEIRS[name])
    with torch.no_grad():
        for parameter in theirs.parameters():
            if parameter.requires_grad:
                parameter.add_(torch.randn_like(parameter) * 0.05)
    theirs.eval().save_pretrained(tmp_path)
    active = Active("x")
    module = Switch(load_module(causal_files), active)
    place(module, read_variants(tmp_path, module), "x", active)
    assert torch.allclose(last_logits(module, PROMPTS), one_by_one(theirs), atol=1e-4)
    active.name = "base"
    assert not torch.allclose(last_logits(module, PROMPTS), one_by_one(theirs), atol=1e-3)
