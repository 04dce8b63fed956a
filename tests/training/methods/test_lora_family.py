"""What the variants of LoRA add to it: scales, two learning rates, a budget of ranks, a start at the weight itself."""

from __future__ import annotations

import json

import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

from hatrack.core.errors import AdapterBroken
from hatrack.models.causal import last_logits
from hatrack.training.methods.adalora.method import AdaLora
from hatrack.training.methods.adalora.options import AdaLoraOptions
from hatrack.training.methods.base import Schedule
from hatrack.training.methods.dora.method import Dora
from hatrack.training.methods.lora.options import LoraOptions
from hatrack.training.methods.lora_plus.method import LoraPlus, LoraPlusOptions
from hatrack.training.methods.pissa.method import Pissa, PissaOptions
from hatrack.training.methods.rslora.method import RsLora, RsLoraOptions
from hatrack.training.proof import check_reproduced
from tiny_training import open_pieces, run_folder

PROMPTS = [[5, 6, 7, 8], [9, 10, 11]]


@pytest.fixture
def llama(tiny_causal):
    return AutoModelForCausalLM.from_pretrained(tiny_causal).eval()


def test_rslora_scales_by_the_root_of_the_rank(llama):
    adapted, _ = RsLora().apply(llama, RsLoraOptions(r=4, alpha=6, target_modules=("q_proj",)), "causal")
    assert adapted.base_model.model.model.layers[0].self_attn.q_proj.scaling["default"] == 3


def test_lora_plus_gives_b_its_own_rate_and_leaves_nothing_out(llama):
    options = LoraPlusOptions(r=2, ratio=8, target_modules=("q_proj",))
    adapted, coverage = LoraPlus().apply(llama, options, "causal")
    optimizer = LoraPlus().optimizer(adapted, adapted, options, Schedule(1e-3, 0.1, 10))
    slow, fast = optimizer.param_groups
    assert (slow["lr"], fast["lr"], slow["weight_decay"]) == (1e-3, pytest.approx(8e-3), 0.1)
    assert {tuple(p.shape) for p in fast["params"]} == {(48, 2)}
    assert sum(p.numel() for group in (slow, fast) for p in group["params"]) == coverage.trained


def test_pissa_starts_at_the_base_and_is_written_for_the_base_as_it_was(llama, tmp_path):
    before = last_logits(llama, PROMPTS)
    weight = llama.model.layers[0].self_attn.q_proj.weight.clone()
    adapted, _ = Pissa().apply(llama, PissaOptions(r=4, alpha=4), "causal")
    layer = adapted.base_model.model.model.layers[0].self_attn.q_proj
    assert torch.allclose(last_logits(adapted.eval(), PROMPTS), before, atol=1e-3)
    assert not torch.allclose(layer.base_layer.weight, weight, atol=1e-3)
    with torch.no_grad():
        layer.lora_B["default"].weight.add_(0.1)
    Pissa().export(adapted, tmp_path, "base")
    config, tensors = json.loads((tmp_path / "adapter_config.json").read_text()), load_file(tmp_path / "adapter_model.safetensors")
    assert (config["r"], config["lora_alpha"], config["init_lora_weights"]) == (8, 8, True)
    path = "base_model.model.model.layers.0.self_attn.q_proj.lora_{}.weight"
    written = weight + tensors[path.format("B")] @ tensors[path.format("A")]
    trained = layer.base_layer.weight + layer.lora_B["default"].weight @ layer.lora_A["default"].weight
    assert torch.allclose(written, trained, atol=1e-5)


def test_dora_trains_one_length_for_each_row(llama):
    weight = llama.model.layers[0].self_attn.q_proj.weight
    adapted, coverage = Dora().apply(llama, LoraOptions(r=2, target_modules=("q_proj",)), "causal")
    lengths = [p for name, p in adapted.named_parameters() if "magnitude" in name]
    assert coverage.trained == 3 * (2 * 48 + 48 * 2 + 48)
    assert torch.allclose(lengths[0], weight.norm(dim=1))


@pytest.fixture
def adalora_run(make_project):
    def run(folder="project", **train):
        project = make_project("classify-by-text", folder=folder, method="adalora", train={"epochs": 4, "patience": 9, **train})
        text = project.joinpath("hatrack.yaml").read_text()
        assert "    r: 4\n" in text
        project.joinpath("hatrack.yaml").write_text(text.replace("    r: 4\n", "    init_r: 6\n    target_r: 2\n"))
        return open_pieces(project), project

    return run


def test_adalora_leaves_as_many_ranks_as_its_budget(adalora_run, monkeypatch):
    seen = []
    saved = AdaLora.saved
    monkeypatch.setattr(AdaLora, "saved", lambda self, adapted: seen.append(ranks(adapted)) or saved(self, adapted))
    adalora_run()[0].train()
    (counts,) = seen
    assert len(counts) == 21
    assert sum(counts) <= 2 * 21 < 6 * 21
    assert len(set(counts)) > 1, "the layers share the budget unequally"


def ranks(adapted):
    return [int((p != 0).sum()) for name, p in adapted.named_parameters() if "lora_E" in name]


def test_adalora_keeps_the_singular_vectors_apart(llama):
    options = AdaLoraOptions(init_r=4, target_r=2, target_modules=("q_proj",), orthogonality=1.0)
    adapted, _ = AdaLora().apply(llama, options, "causal")
    optimizer = AdaLora().optimizer(adapted, adapted, options, Schedule(1e-2, 0.0, 100))

    def error():
        return sum(float((p @ p.T - torch.eye(4)).norm()) for name, p in adapted.named_parameters() if "lora_A" in name)

    before = error()
    for _ in range(30):
        loss = adapted(input_ids=torch.tensor([PROMPTS[0]])).logits.logsumexp(-1).sum() * 1e-6
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert error() < 0.5 * before


def test_F12_adalora_interrupted_and_resumed_is_bit_for_bit_the_run_that_was_not(adalora_run, monkeypatch):
    whole, _ = adalora_run("whole")
    expected = whole.train().folder
    broken, project = adalora_run("broken")
    from hatrack.training.loop import Loop

    compute = Loop.compute_loss
    monkeypatch.setattr(Loop, "compute_loss", lambda self, *a, **k: stop(self) or compute(self, *a, **k))

    def stop(loop):
        if loop.state.global_step == 15:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        broken.train()
    assert any(run_folder(project).glob("checkpoint-*"))
    monkeypatch.setattr(Loop, "compute_loss", compute)
    resumed = broken.train().folder
    for file in ("adapter_model.safetensors", "adapter_config.json", "probe.safetensors"):
        assert (resumed / file).read_bytes() == (expected / file).read_bytes(), file


@pytest.mark.parametrize("wrong", [{"init_r": 4, "target_r": 4}, {"warm": 0.6, "settle": 0.5}])
def test_a_budget_that_cannot_fall_is_refused(wrong):
    with pytest.raises(ValidationError):
        AdaLoraOptions(**wrong)


def test_F21_an_adapter_that_is_written_otherwise_than_trained_is_refused(make_project, monkeypatch):
    project = make_project("classify-by-text", method="pissa", train={"epochs": 1})
    plain = Pissa.saved

    def forgetful(self, adapted):
        config, tensors = plain(self, adapted)
        return config, {key: tensor * (1 if "lora_A" in key else 1.05) for key, tensor in tensors.items()}

    monkeypatch.setattr(Pissa, "saved", forgetful)
    with pytest.raises(AdapterBroken, match="does not act as the trained one"):
        open_pieces(project).train()
    assert not (run_folder(project) / "adapter").exists()


@pytest.mark.parametrize(("error", "fits"), [(0.0, True), (9e-4, True), (2e-3, False), (float("nan"), False)])
def test_F21_logits_must_agree_to_one_part_in_ten_thousand_of_the_largest(error, fits):
    trained = torch.tensor([[10.0, 1.0]])
    if fits:
        check_reproduced(trained, trained + error, "any")
    else:
        with pytest.raises(AdapterBroken):
            check_reproduced(trained, trained + error, "any")
