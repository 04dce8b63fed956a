"""One base, many adapters: attaching proves that an adapter acts (F18, F19), switching is exact and free (F33)."""

from __future__ import annotations

import time

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from hatrack.core.errors import AdapterBroken, AdapterMismatch
from hatrack.core.names import BASE
from hatrack.models.adapters.base import read_variants
from hatrack.models.adapters.folder import CARD, CONFIG, HEAD, PROBE, WEIGHTS
from hatrack.models.adapters.switch import Active, Switch, place
from hatrack.models.host import ModelHost
from hatrack.models.loading import load_module, open_base

PROMPTS = [[2, 60, 70, 80, 90], [2, 61, 71], [2, *range(100, 130)]]


@pytest.fixture
def host(causal_files):
    return ModelHost(causal_files)


def logits(host: ModelHost, key: str) -> torch.Tensor:
    with host.using(key):
        return host.probe_logits(PROMPTS, None)


def change(folder, name, edit) -> None:
    tensors = load_file(folder / name)
    edit(tensors)
    save_file(tensors, folder / name)


def variants(module) -> int:
    return sum(len(layer.variants) for layer in module.modules() if isinstance(layer, Switch))


def test_F33_base_logits_are_exactly_the_unadapted_ones_while_adapters_are_resident(host, causal_files, adapter_a, adapter_b):
    host.attach("a", adapter_a)
    host.attach("b", adapter_b)
    untouched = ModelHost(causal_files)
    assert torch.equal(logits(host, BASE), logits(untouched, BASE))
    assert not torch.allclose(logits(host, "a"), logits(host, BASE), atol=1e-2)
    assert not torch.allclose(logits(host, "a"), logits(host, "b"), atol=1e-2)


def test_F33_outside_of_using_the_base_speaks(host, adapter_a):
    before = host.probe_logits(PROMPTS, None)
    host.attach("a", adapter_a)
    with pytest.raises(ZeroDivisionError), host.using("a"):
        raise ZeroDivisionError
    assert torch.equal(host.probe_logits(PROMPTS, None), before)


def test_F24_switching_from_a_to_b_and_back_gives_the_same_logits(host, adapter_a, adapter_b):
    host.attach("a", adapter_a)
    first = logits(host, "a")
    host.attach("b", adapter_b)
    logits(host, "b")
    logits(host, BASE)
    assert torch.equal(logits(host, "a"), first)


def test_using_can_be_nested(host, adapter_a, adapter_b):
    host.attach("a", adapter_a)
    host.attach("b", adapter_b)
    with host.using("a"):
        with host.using("b") as inner:
            assert inner is host.adapters["b"]
        assert torch.equal(host.probe_logits(PROMPTS, None), logits(host, "a"))
        with host.using(BASE) as inner:
            assert inner is None


@pytest.mark.parametrize("key", [BASE, "a"])
def test_F33_a_key_that_is_taken_cannot_be_taken_again(host, adapter_a, adapter_b, key):
    host.attach("a", adapter_a)
    before = logits(host, key)
    with pytest.raises(ValueError, match="is taken"):
        host.attach(key, adapter_b)
    assert torch.equal(logits(host, key), before)


def test_switching_takes_less_than_a_millisecond(host, adapter_a, adapter_b):
    host.attach("a", adapter_a)
    host.attach("b", adapter_b)
    start = time.perf_counter()
    for i in range(1000):
        with host.using("ab"[i % 2]):
            pass
    assert (time.perf_counter() - start) / 1000 < 1e-3


def test_detaching_frees_the_matrices_and_leaves_the_others(host, adapter_a, adapter_b):
    host.attach("a", adapter_a)
    alone = logits(host, "a")
    host.attach("b", adapter_b)
    host.detach("b")
    assert set(host.adapters) == {"a"}
    assert torch.equal(logits(host, "a"), alone)
    host.detach("a")
    assert variants(host.module) == 0


def test_F21_an_attached_adapter_gives_the_logits_of_peft(host, causal_files, adapter_a, adapter_b):
    from peft import PeftModel

    for key, folder in (("a", adapter_a), ("b", adapter_b)):
        host.attach(key, folder)
        base = AutoModelForCausalLM.from_pretrained(causal_files.folder, dtype=torch.float32)
        theirs = PeftModel.from_pretrained(base, folder).eval()
        with torch.inference_mode():
            expected = torch.stack([theirs(input_ids=torch.tensor([ids])).logits[0, -1] for ids in PROMPTS])
        assert torch.allclose(logits(host, key), expected, atol=1e-4)


def test_F21_rank_stabilised_scaling_is_that_of_peft(host, causal_files, adapter_a, spoiled, edit_json):
    from peft import PeftModel

    folder = spoiled(adapter_a)
    edit_json(folder / CONFIG, use_rslora=True)
    base = AutoModelForCausalLM.from_pretrained(causal_files.folder, dtype=torch.float32)
    theirs = PeftModel.from_pretrained(base, folder).eval()
    with torch.inference_mode():
        expected = torch.stack([theirs(input_ids=torch.tensor([ids])).logits[0, -1] for ids in PROMPTS])
    module = load_module(causal_files)
    place(module, read_variants(folder, module), "x", Active("x"))
    with torch.inference_mode():
        ours = torch.stack([module(input_ids=torch.tensor([ids])).logits[0, -1] for ids in PROMPTS])
    assert torch.allclose(ours, expected, atol=1e-4)


SPOILS = {
    "zeroed-B": (WEIGHTS, lambda t: [v.zero_() for k, v in t.items() if "lora_B" in k], "does not act as it did"),
    "one-matrix": (WEIGHTS, lambda t: next(v for k, v in t.items() if "lora_B" in k).mul_(3), "does not act as it did"),
    "huge": (WEIGHTS, lambda t: [v.fill_(1e30) for v in t.values()], "does not act as it did"),
    "probe": (PROBE, lambda t: t["adapted"].add_(0.01), "does not act as it did"),
    "probe-nan": (PROBE, lambda t: t["adapted"].fill_(float("nan")), "holds NaN"),
    "probe-part": (PROBE, lambda t: t.pop("lengths"), "is no probe"),
    "other-width": (WEIGHTS, lambda t: t.update({k: v[:, :24].contiguous() for k, v in t.items() if "lora_A" in k}), "do not fit the base"),
    "other-layer": (WEIGHTS, lambda t: t.update({k.replace("s.2.", "s.9."): t.pop(k) for k in list(t)}), "layer the base does not have"),
}


@pytest.mark.parametrize("name", SPOILS)
def test_F18_an_adapter_that_does_not_act_as_at_training_is_refused_and_the_base_is_as_it_was(host, adapter_a, adapter_b, spoiled, name):
    file, edit, said = SPOILS[name]
    folder = spoiled(adapter_a)
    change(folder, file, edit)
    host.attach("b", adapter_b)
    before, with_b, held = logits(host, BASE), logits(host, "b"), variants(host.module)
    with pytest.raises(AdapterBroken, match=said):
        host.attach("a", folder)
    assert set(host.adapters) == {"b"}
    assert variants(host.module) == held
    assert torch.equal(logits(host, BASE), before)
    assert torch.equal(logits(host, "b"), with_b)


def test_F18_an_adapter_that_changes_nothing_is_refused_even_when_its_probe_says_so_too(host, adapter_a, spoiled):
    folder = spoiled(adapter_a)
    change(folder, WEIGHTS, SPOILS["zeroed-B"][1])
    change(folder, PROBE, lambda t: t.update(adapted=t["base"].clone()))
    with pytest.raises(AdapterBroken, match="the adapter changes nothing"):
        host.attach("a", folder)


def test_F18_an_adapter_that_lost_a_layer_is_refused(host, adapter_a, spoiled):
    folder = spoiled(adapter_a)
    change(folder, WEIGHTS, lambda t: [t.pop(k) for k in list(t) if "layers.1.mlp.up_proj" in k])
    with pytest.raises(AdapterBroken, match="does not act as it did"):
        host.attach("a", folder)


def test_F18_an_adapter_without_a_probe_is_refused(host, adapter_a, spoiled):
    folder = spoiled(adapter_a)
    (folder / PROBE).unlink()
    with pytest.raises(AdapterBroken, match=PROBE):
        host.attach("a", folder)
    assert not host.adapters


def test_F19_an_adapter_of_another_base_is_refused(tmp_path, adapter_a):
    from conftest import make_causal

    other = ModelHost(open_base(str(make_causal(tmp_path / "other", seed=1)), cache=tmp_path / "cache"))
    before = logits(other, BASE)
    with pytest.raises(AdapterMismatch, match="trained on another base model"):
        other.attach("a", adapter_a)
    assert torch.equal(logits(other, BASE), before)


def test_F06_an_adapter_of_another_template_is_refused(host, adapter_a, spoiled, edit_json):
    folder = spoiled(adapter_a)
    edit_json(folder / CARD, template_hash="0" * 64)
    with pytest.raises(AdapterMismatch, match="another chat template"):
        host.attach("a", folder)


def test_F06_a_changed_template_of_the_base_is_refused(tmp_path, tiny_causal, adapter_a):
    import shutil

    folder = tmp_path / "base"
    shutil.copytree(tiny_causal, folder)
    template = folder / "chat_template.jinja"
    template.write_text(template.read_text().replace("assistant\n", "assistant: "))
    with pytest.raises(AdapterMismatch, match="another chat template"):
        ModelHost(open_base(str(folder), cache=tmp_path / "cache")).attach("a", adapter_a)


def test_an_encoder_adapter_is_attached_with_its_head(encoder_files, adapter_e):
    host = ModelHost(encoder_files)
    adapter = host.attach("e", adapter_e)
    ids = host.tokenize(["tree red bird", "a stone"], 64)
    with host.using("e"):
        adapted = host.probe_logits(ids, adapter.head)
    assert adapted.shape == (2, 3)
    assert not torch.allclose(adapted, host.probe_logits(ids, adapter.head), atol=1e-2)


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (lambda t: t.update(weight=t["weight"][:2].contiguous()), "head does not fit"),
        (lambda t: t.update(bias=torch.ones(3)), "head does not fit"),
        (lambda t: t["weight"].fill_(float("nan")), "holds NaN"),
        (lambda t: t["weight"].mul_(-1), "does not act as it did"),
    ],
)
def test_F18_a_changed_head_is_refused(encoder_files, adapter_e, spoiled, edit, said):
    folder = spoiled(adapter_e)
    change(folder, HEAD, edit)
    host = ModelHost(encoder_files)
    with pytest.raises(AdapterBroken, match=said):
        host.attach("e", folder)
    assert not host.adapters
