"""PEFT reads what Hatrack writes and Hatrack reads what PEFT writes, with the same logits, wherever PEFT knows the form."""

from __future__ import annotations

import copy

import pytest
import torch
from peft import (
    AdaLoraConfig,
    IA3Config,
    LNTuningConfig,
    LoraConfig,
    PeftModel,
    PrefixTuningConfig,
    PromptTuningConfig,
    VeraConfig,
    get_peft_model,
)
from transformers import AutoModel, AutoModelForCausalLM

from conftest import make_causal
from hatrack.core.errors import AdapterBroken
from hatrack.models.adapters.base import read_variants
from hatrack.models.adapters.switch import Active, Switch, place
from hatrack.models.causal import last_logits
from hatrack.models.host import ModelHost
from hatrack.models.loading import load_module, open_base
from hatrack.models.quantised import quantise
from models.conftest import train

PROMPTS = [[2, 60, 70, 80, 90], [2, 61, 71]]
TEXTS = [[2, 30, 45, 50, 3], [2, 31, 3]]  # for an encoder, whose vocabulary is smaller
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
ON_ENCODERS = ["lora", "rslora", "lora+", "dora", "pissa", "adalora"]
# Of the rest of the LoRA family plain PEFT writes `lora`, too: lora+ is an optimizer.
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


def hidden_states(encoder):
    with torch.inference_mode():
        return torch.cat([encoder(input_ids=torch.tensor([ids])).last_hidden_state[0] for ids in TEXTS])


def served(files, folder, ask):
    """What ``ask`` finds of the base with the adapter in ``folder``, as it is served."""
    host = ModelHost(files)
    host.attach("it", folder)
    with host.using("it"):
        return ask(host.module)


def read(files, folder):
    """The base with an adapter on it that has no card of ours, and the switch to it."""
    active = Active("x")
    module = Switch(load_module(files), active)
    place(module, read_variants(folder, module), "x", active)
    return module, active


def shaken(theirs):
    """As if trained."""
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in theirs.parameters():
            if parameter.requires_grad:
                parameter.add_(torch.randn_like(parameter) * 0.05)
    return theirs.eval()


def our_logits(module):
    return last_logits(module, PROMPTS)


def causal(files):
    return AutoModelForCausalLM.from_pretrained(files.folder, dtype=torch.float32).eval()


def in_four_bits(files):
    model = causal(files)
    quantise(model)
    return model


@pytest.fixture
def plain(causal_files):
    return causal(causal_files)


@pytest.fixture
def encoder(encoder_files):
    return AutoModel.from_pretrained(encoder_files.folder, dtype=torch.float32).eval()


@pytest.fixture(scope="module")
def wide_files(tmp_path_factory):
    """A base whose layers can be held in 4 bits."""
    folder = tmp_path_factory.mktemp("wide")
    return open_base(str(make_causal(folder / "wide-llama", width=64)), cache=folder)


# PEFT measures every layer it wraps and finds no linear one where it tunes norms; it does not use what it did not find.
without_warning = pytest.mark.filterwarnings("ignore:Unsupported layer type .*RMSNorm:UserWarning")


@without_warning
@pytest.mark.parametrize("name", OURS)
def test_F21_peft_gives_the_logits_that_hatrack_serves(causal_files, plain, tmp_path, name):
    folder = train(tmp_path, causal_files, "classify-by-text", 1, method=name, **OURS[name])
    ours = served(causal_files, folder, our_logits)
    assert not torch.allclose(ours, one_by_one(plain), atol=1e-3)
    assert torch.allclose(one_by_one(PeftModel.from_pretrained(plain, folder).eval()), ours, atol=1e-4)


def test_F21_what_qlora_trained_is_for_the_base_in_full_precision_in_peft_too(wide_files, tmp_path):
    folder = train(tmp_path, wide_files, "classify-by-text", 1, method="qlora", r=4)
    ours = served(wide_files, folder, our_logits)
    assert not torch.allclose(ours, one_by_one(causal(wide_files)), atol=1e-3)
    assert torch.allclose(one_by_one(PeftModel.from_pretrained(causal(wide_files), folder).eval()), ours, atol=1e-4)
    beside = one_by_one(PeftModel.from_pretrained(in_four_bits(wide_files), folder).eval())
    assert not torch.allclose(beside, ours, atol=1e-3), "the base that it was trained beside answers otherwise"


@pytest.mark.parametrize("name", ON_ENCODERS)
def test_F21_peft_gives_the_hidden_states_of_an_encoder_that_hatrack_serves(encoder_files, encoder, tmp_path, name):
    folder = train(tmp_path, encoder_files, "classify", 1, method=name, **OURS[name])
    ours = served(encoder_files, folder, hidden_states)
    assert not torch.allclose(ours, hidden_states(encoder), atol=1e-2)
    assert torch.allclose(hidden_states(PeftModel.from_pretrained(encoder, folder).eval()), ours, atol=1e-4)


@without_warning
@pytest.mark.parametrize("name", THEIRS)
def test_an_adapter_that_plain_peft_saved_is_read_and_acts_as_in_peft(causal_files, plain, tmp_path, name):
    theirs = shaken(get_peft_model(plain, THEIRS[name]))
    theirs.save_pretrained(tmp_path)
    module, active = read(causal_files, tmp_path)
    assert torch.allclose(our_logits(module), one_by_one(theirs), atol=1e-4)
    active.name = "base"
    assert not torch.allclose(our_logits(module), one_by_one(theirs), atol=1e-3)


def test_what_plain_peft_trained_beside_4_bits_acts_as_in_peft_on_the_base_in_full_precision(wide_files, tmp_path):
    shaken(get_peft_model(in_four_bits(wide_files), copy.copy(THEIRS["lora"]))).save_pretrained(tmp_path)
    module, active = read(wide_files, tmp_path)
    assert torch.allclose(our_logits(module), one_by_one(PeftModel.from_pretrained(causal(wide_files), tmp_path).eval()), atol=1e-4)
    active.name = "base"
    assert torch.allclose(our_logits(module), one_by_one(causal(wide_files)), atol=1e-4)


def test_pissa_is_read_when_peft_has_converted_it_to_lora_and_not_before(causal_files, plain, tmp_path):
    config = LoraConfig(r=4, lora_alpha=8, target_modules=LINEARS, init_lora_weights="pissa", task_type="CAUSAL_LM")
    theirs = get_peft_model(plain, config)
    theirs.save_pretrained(tmp_path / "start")
    shaken(theirs).save_pretrained(tmp_path / "end")
    with pytest.raises(AdapterBroken, match="init_lora_weights: 'pissa'"):
        read(causal_files, tmp_path / "end")  # for a base that its maker has changed
    expected = one_by_one(theirs)
    theirs.save_pretrained(tmp_path / "converted", path_initial_model_for_weight_conversion=str(tmp_path / "start"))
    module, _ = read(causal_files, tmp_path / "converted")
    assert torch.allclose(our_logits(module), expected, atol=1e-4)


def test_what_peft_writes_of_adalora_is_refused_by_its_name(causal_files, plain, tmp_path):
    config = AdaLoraConfig(init_r=4, target_r=2, total_step=10, target_modules=LINEARS, task_type="CAUSAL_LM")
    get_peft_model(plain, config).save_pretrained(tmp_path)
    with pytest.raises(AdapterBroken, match="peft_type: 'ADALORA'"):
        read(causal_files, tmp_path)


def test_an_adapter_that_plain_peft_saved_of_an_encoder_acts_as_in_peft(encoder_files, encoder, tmp_path):
    before = hidden_states(encoder)
    theirs = shaken(get_peft_model(encoder, LoraConfig(r=4, target_modules=["query", "value"], task_type="FEATURE_EXTRACTION")))
    theirs.save_pretrained(tmp_path)
    module, active = read(encoder_files, tmp_path)
    assert torch.allclose(hidden_states(module), hidden_states(theirs), atol=1e-4)
    active.name = "base"
    assert torch.allclose(hidden_states(module), before, atol=1e-5)
    assert not torch.allclose(before, hidden_states(theirs), atol=1e-2)
