"""What every form of adapter promises where it is applied; a new one is tested here by being in the table."""

from __future__ import annotations

import json

import pytest
import torch
from safetensors.torch import save_file

from hatrack.core.errors import AdapterBroken
from hatrack.models.adapters.base import FORMS, form_name, read_variants
from hatrack.models.adapters.folder import CONFIG, WEIGHTS
from hatrack.models.adapters.switch import Active, Switch
from hatrack.models.loading import load_module, open_base

every_form = pytest.mark.parametrize("name", FORMS.names())


@pytest.fixture(scope="module")
def base(tiny_causal, tmp_path_factory):
    return Switch(load_module(open_base(str(tiny_causal), cache=tmp_path_factory.mktemp("cache"))), Active())


@pytest.fixture
def folder(tmp_path):
    """``folder(name, tensors, key=value)``: an adapter of a form with these tensors and more keys in its config."""

    def make(name, tensors, **keys):
        # numbers that any form takes for its own, so that it comes to look at the tensors
        numbers = {"lora": {"r": 4, "lora_alpha": 4}, "vera": {"r": 4, "save_projection": True}, "bottleneck": {"size": 4, "scale": 1.0}}
        numbers["bottleneck"] |= {"activation": "relu", "reads": "output"}
        tokens = {"num_virtual_tokens": 2} if "tuning" in name and name != "ln-tuning" else {}
        config = {"peft_type": name.upper().replace("-", "_"), **numbers.get(name, {}), **tokens, **keys}
        (tmp_path / CONFIG).write_text(json.dumps(config))
        save_file(tensors, tmp_path / WEIGHTS)
        return tmp_path

    return make


def test_a_form_is_found_by_the_type_that_peft_writes():
    assert form_name("LN_TUNING") == "ln-tuning"
    assert {"lora", "ia3", "ln-tuning", "prefix-tuning"} <= set(FORMS.names())


@every_form
@pytest.mark.parametrize("key", ["auto_mapping", "modules_to_save", "something_new", "__class__"])
def test_F22_a_key_that_a_form_does_not_know_is_refused_with_its_name(base, folder, name, key):
    with pytest.raises(AdapterBroken, match="does not apply") as refused:
        read_variants(folder(name, {"x": torch.ones(2)}, **{key: {"a": 1}}), base)
    assert key in refused.value.given


@every_form
@pytest.mark.parametrize(
    "tensors",
    [
        {},
        {"x": torch.ones(2)},
        {"base_model.model.model.layers.9.mlp.up_proj.weight": torch.ones(2, 2)},
        {"model.layers.0.mlp.up_proj.weight": torch.ones(3, 3)},
        {"prompt_embeddings": torch.ones(3, 7)},
    ],
    ids=["none", "foreign", "another-layer", "another-shape", "another-width"],
)
def test_F18_tensors_that_do_not_fit_are_refused_and_the_base_is_as_it_was(base, folder, name, tensors):
    before = list(base.named_modules())
    with pytest.raises(AdapterBroken):
        read_variants(folder(name, tensors), base)
    assert list(base.named_modules()) == before


@every_form
def test_tensors_that_hold_no_numbers_are_refused(base, folder, name):
    with pytest.raises(AdapterBroken, match="NaN"):
        read_variants(folder(name, {"x": torch.full((2,), float("nan"))}), base)


@pytest.mark.parametrize("peft_type", ["XLORA", "os.system", None, 3, "", "LORA_"])
def test_F22_a_form_is_looked_up_and_never_imported(base, tmp_path, peft_type):
    (tmp_path / CONFIG).write_text(json.dumps({"peft_type": peft_type}))
    with pytest.raises(AdapterBroken, match="a form of adapter that Hatrack does not apply") as refused:
        read_variants(tmp_path, base)
    assert "LORA" in refused.value.allowed
