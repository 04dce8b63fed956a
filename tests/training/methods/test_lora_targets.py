from __future__ import annotations

import io

import pytest
from pydantic import ValidationError
from torch import nn
from transformers import AutoModel, AutoModelForCausalLM

from conftest import make_causal, make_encoder
from hatrack.core.errors import TargetsNotFound
from hatrack.training.methods.lora.method import Lora
from hatrack.training.methods.lora.options import LoraOptions
from hatrack.training.methods.targets import find_targets
from tiny_training import open_pieces


@pytest.fixture
def llama(tiny_causal):
    return AutoModelForCausalLM.from_pretrained(tiny_causal)


@pytest.fixture
def bert(tiny_encoder):
    return AutoModel.from_pretrained(tiny_encoder)


def adapted_names(base, kind, **options):
    adapted, coverage = Lora().apply(base, LoraOptions(r=2, **options), kind)
    names = {name.split(".lora_A")[0].removeprefix("base_model.model.") for name, p in adapted.named_parameters() if "lora_A" in name}
    return names, coverage


def test_F10_a_misspelt_target_is_an_error_with_did_you_mean(llama):
    with pytest.raises(TargetsNotFound) as refused:
        find_targets(llama, ["q_proj", "v_porj"], None)
    assert refused.value.given == "v_porj"
    assert refused.value.fix == "did you mean v_proj?"
    assert refused.value.allowed == "down_proj, gate_proj, k_proj, o_proj, q_proj, up_proj, v_proj in layers 0-2"


def test_F10_a_misspelt_target_stops_the_command(make_project, hatrack):
    ran = hatrack("train", project=make_project("classify-by-text", target_modules=["q_prj"]))
    assert ran.code == 2
    assert "did you mean q_proj?" in ran.err


def test_F10_the_output_head_and_an_empty_name_are_no_targets(llama):
    for name in ("lm_head", "", "proj"):
        with pytest.raises(TargetsNotFound):
            find_targets(llama, [name], None)


def test_F10_coverage_counts_every_layer_that_is_really_adapted(llama):
    names, coverage = adapted_names(llama, "causal")
    assert coverage.targets == dict.fromkeys(("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"), 3)
    assert len(names) == 21
    assert not any("lm_head" in name for name in names)
    assert str(coverage).endswith("q_proj x3, k_proj x3, v_proj x3, o_proj x3, gate_proj x3, up_proj x3, down_proj x3 in layers 0-2")


def test_coverage_counts_trained_parameters_only(llama):
    _, coverage = adapted_names(llama, "causal", target_modules=("q_proj",))
    assert coverage.trained == 3 * (2 * 48 + 48 * 2)
    assert coverage.total > sum(p.numel() for p in llama.parameters() if not p.requires_grad)


def test_last_layers_adapts_only_the_last_blocks(llama):
    names, coverage = adapted_names(llama, "causal", last_layers=1)
    assert {name.split(".")[2] for name in names} == {"2"}
    assert set(coverage.targets.values()) == {1}
    assert set(coverage.layers.values()) == {(2,)}
    assert str(coverage).endswith("down_proj x1 in layer 2")


def test_F10_a_target_of_other_layers_is_said_to_be_there():
    mixed = nn.Sequential(*(nn.ModuleDict({name: nn.Linear(4, 4)}) for name in ("q_proj", "q_proj", "in_proj", "q_proj", "in_proj")))
    base = nn.ModuleDict({"layers": mixed})
    with pytest.raises(TargetsNotFound) as refused:
        find_targets(base, ["q_prj"], None)
    assert refused.value.allowed == "in_proj in layers 2, 4; q_proj in layers 0-1, 3"
    with pytest.raises(TargetsNotFound) as refused:
        find_targets(base, ["in_proj", "q_proj"], 1)
    assert (refused.value.given, refused.value.allowed) == ("q_proj", "in_proj in layer 4")
    assert refused.value.fix == "raise last_layers: q_proj in layers 0-1, 3"


def test_F10_more_last_layers_than_the_base_has_is_an_error(llama):
    with pytest.raises(TargetsNotFound) as refused:
        find_targets(llama, None, 4)
    assert refused.value.allowed == "1 to 3"


def test_all_last_layers_are_all_layers(llama):
    names, _ = adapted_names(llama, "causal", last_layers=3)
    assert len(names) == 21


@pytest.mark.parametrize("wanted", [None, ("dense",), ("query", "dense")])
def test_F10_the_pooler_of_an_encoder_is_never_adapted(bert, wanted):
    names, coverage = adapted_names(bert, "encoder", target_modules=wanted)
    assert names
    assert not any(name.startswith("pooler") for name in names)
    assert sum(coverage.targets.values()) == len(names)


def test_a_target_wider_than_its_blocks_is_narrowed_and_no_further(bert):
    targets = find_targets(bert, ["attention.output.dense", "dense"], None)
    assert targets.counts == {"attention.output.dense": 2, "output.dense": 4, "intermediate.dense": 2}


def test_a_base_without_linear_layers_in_blocks_is_refused(tmp_path):
    with pytest.raises(TargetsNotFound, match="target_modules"):
        find_targets(nn.Sequential(nn.Embedding(4, 4)), None, None)


def test_unknown_and_wrong_options_are_refused():
    with pytest.raises(ValidationError):
        LoraOptions(rank=8)
    with pytest.raises(ValidationError):
        LoraOptions(r=0)


def test_an_unknown_option_is_refused_with_did_you_mean_before_anything_is_loaded(make_project, hatrack, tmp_path):
    ran = hatrack("train", project=make_project("classify-by-text", base=tmp_path / "nowhere", alhpa=3))
    assert ran.code == 2
    assert "did you mean alpha?" in ran.err


def test_deeper_bases_count_deeper(tmp_path):
    deep = AutoModelForCausalLM.from_pretrained(make_causal(tmp_path / "deep", layers=5))
    assert find_targets(deep, ["q_proj"], None).counts == {"q_proj": 5}
    encoder = AutoModel.from_pretrained(make_encoder(tmp_path / "encoder", layers=4))
    assert find_targets(encoder, ["query"], 3).counts == {"query": 3}


def test_what_is_trained_is_printed(make_project):
    from rich.console import Console

    console = Console(record=True, width=200, file=io.StringIO())
    open_pieces(make_project("classify-by-text", train={"epochs": 0.2}, target_modules=["v_proj"])).train(console)
    assert "v_proj x3" in console.export_text()
