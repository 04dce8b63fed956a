"""Methods of our own: where they stand, what they train, and that they train copies, never the base."""

from __future__ import annotations

import json

import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import load_file
from torch import nn
from transformers import AutoModel, AutoModelForCausalLM

from conftest import make_causal
from hatrack.core.errors import TargetsNotFound
from hatrack.models.adapters.delta import held_by
from hatrack.models.causal import last_logits
from hatrack.models.delta.parameters import read_record, restore_parameters
from hatrack.models.encoder import embed, pad_right
from hatrack.training.methods.base import METHODS
from hatrack.training.methods.places import find_blocks

PROMPTS = [[5, 6, 7, 8], [9, 10, 11]]
AT_THE_BASE = ["bitfit", "bottleneck", "full", "last-n", "ln"]


@pytest.fixture
def llama(tiny_causal):
    return AutoModelForCausalLM.from_pretrained(tiny_causal).eval().requires_grad_(False)


@pytest.fixture
def bert(tiny_encoder):
    return AutoModel.from_pretrained(tiny_encoder).eval().requires_grad_(False)


def apply(name, base, kind, **options):
    method = METHODS.get(name)()
    return method.apply(base, method.options(**options), kind)


def names(adapted):
    return {name for name, parameter in adapted.named_parameters() if parameter.requires_grad}


def written(name, adapted, folder):
    METHODS.get(name)().export(adapted, folder, "base")
    return json.loads((folder / "adapter_config.json").read_text()), load_file(folder / "adapter_model.safetensors")


def restored(name, adapted, base, folder):
    """The changed parameters, out of the difference that is stored."""
    written(name, adapted, folder)
    path = folder / "adapter_model.safetensors"
    return restore_parameters(path, read_record(path), held_by(base))


@pytest.mark.parametrize("name", AT_THE_BASE)
def test_training_starts_at_the_base(llama, bert, name):
    causal, encoder = last_logits(llama, PROMPTS), embed(bert, *pad_right(PROMPTS, 0))
    assert torch.allclose(last_logits(apply(name, llama, "causal")[0].eval(), PROMPTS), causal, atol=1e-5)
    assert torch.allclose(embed(apply(name, bert, "encoder")[0].eval(), *pad_right(PROMPTS, 0)), encoder, atol=1e-6)


@pytest.mark.parametrize("name", ["bitfit", "ln", "last-n", "bottleneck"])
def test_the_names_of_what_is_trained_say_in_which_block_it_stands(llama, name):
    adapted, _ = apply(name, llama, "causal")
    assert all(".added." in trained for trained in names(adapted))
    assert {trained.split("layers.")[1][0] for trained in names(adapted) if "layers." in trained} <= {"0", "1", "2"}


def test_bitfit_trains_the_biases_an_encoder_has(bert):
    adapted, coverage = apply("bitfit", bert, "encoder")
    biases = [n for n, _ in AutoModel.from_config(bert.config).named_parameters() if n.endswith(".bias") and n.startswith("encoder.")]
    assert len(names(adapted)) == len(biases)
    assert coverage.targets["norms"] == 4
    assert not any("pooler" in name for name in names(adapted))


def test_bitfit_gives_biases_to_a_base_that_has_none(llama, tmp_path):
    adapted, coverage = apply("bitfit", llama, "causal", target_modules=("q_proj",), last_layers=2)
    assert coverage.targets == {"q_proj": 2}
    assert coverage.trained == 2 * 48
    tensors = restored("bitfit", adapted, llama, tmp_path)
    assert set(tensors) == {f"model.layers.{i}.self_attn.q_proj.bias" for i in (1, 2)}
    assert all(not tensor.any() for tensor in tensors.values())


def test_ln_trains_every_norm_and_nothing_else(llama, bert):
    _, coverage = apply("ln", llama, "causal")
    assert coverage.targets == {"input_layernorm": 3, "post_attention_layernorm": 3, "norm": 1}
    assert coverage.trained == 7 * 48
    assert apply("ln", bert, "encoder")[1].trained == 5 * 2 * 48
    assert apply("ln", AutoModel.from_config(bert.config), "encoder", last_layers=1)[1].trained == 2 * 2 * 48


def test_last_n_trains_the_last_blocks_whole(llama):
    block = sum(p.numel() for p in llama.model.layers[2].parameters())
    adapted, coverage = apply("last-n", llama, "causal", n=1)
    assert coverage.trained == block
    assert {name.split("layers.")[1][0] for name in names(adapted)} == {"2"}


def test_full_trains_all_weights_and_tied_ones_once(llama, tmp_path):
    every = sum(p.numel() for p in llama.parameters())
    adapted, coverage = apply("full", llama, "causal")
    assert coverage.trained == every
    tensors = restored("full", adapted, llama, tmp_path)
    assert sum(t.numel() for t in tensors.values()) == every
    assert "lm_head.weight" not in tensors
    assert adapted.placed["lm_head"].weight is adapted.placed["model.embed_tokens"].weight, "the head moves with the embeddings"


def test_full_leaves_an_encoders_pooler_out(bert, tmp_path):
    adapted, _ = apply("full", bert, "encoder")
    assert not any(name.startswith("pooler") for name in written("full", adapted, tmp_path)[1])


@pytest.mark.parametrize(
    ("options", "kind", "places"),
    [
        ({}, "causal", {"mlp.down_proj"}),
        ({"placement": "houlsby"}, "causal", {"mlp.down_proj", "self_attn.o_proj"}),
        ({"order": "parallel"}, "causal", {"mlp"}),
        ({"order": "parallel", "placement": "houlsby"}, "causal", {"mlp", "self_attn"}),
        ({}, "encoder", {"output.dense"}),
        ({"placement": "houlsby"}, "encoder", {"output.dense", "attention.output.dense"}),
        ({"order": "parallel", "placement": "houlsby"}, "encoder", {"output", "attention.output"}),
    ],
)
def test_bottlenecks_stand_where_the_papers_put_them(llama, bert, tmp_path, options, kind, places):
    adapted, coverage = apply("bottleneck", llama if kind == "causal" else bert, kind, size=8, **options)
    depth = 3 if kind == "causal" else 2
    assert coverage.trained == len(places) * depth * (8 * 48 + 8 + 48 * 8 + 48)
    assert {".".join(path.split(".")[3 - (kind == "encoder") + (kind == "encoder") :]) for path in adapted.placed} == places


def half_up(adapted):
    """Every bottleneck's ``up`` at a known value, its ``down`` as it is."""
    with torch.no_grad():
        for layer in adapted.placed.values():
            layer.up.weight.fill_(0.1)


@pytest.mark.parametrize("order", ["sequential", "parallel"])
def test_a_bottleneck_adds_what_its_formula_says(llama, order):
    block, x = llama.model.layers[0], torch.randn(1, 4, 48)
    plain, read_by_mlp = block.mlp(x), x
    adapted, _ = apply("bottleneck", llama, "causal", size=8, order=order, scale=2.0)
    half_up(adapted)
    layer = next(iter(adapted.placed.values()))
    read = plain if order == "sequential" else read_by_mlp
    expected = plain + 2 * layer.up(nn.functional.gelu(layer.down(read)))
    assert torch.allclose(block.mlp(x), expected, atol=1e-5)


def test_a_parallel_bottleneck_on_bert_reads_what_the_feed_forward_part_reads(bert):
    block, hidden, residual = bert.encoder.layer[0], torch.randn(1, 4, 96), torch.randn(1, 4, 48)
    plain = block.output.dense(hidden)
    adapted, _ = apply("bottleneck", bert, "encoder", size=8, order="parallel")
    half_up(adapted)
    layer = next(iter(adapted.placed.values()))
    added = layer.up(nn.functional.gelu(layer.down(residual)))
    assert torch.allclose(block.output(hidden, residual), block.output.LayerNorm(plain + residual + added), atol=1e-5)


def test_an_architecture_of_no_known_family_is_refused_with_what_to_use(tmp_path):
    with pytest.raises(TargetsNotFound) as refused:
        find_blocks(nn.Sequential(nn.ModuleList([nn.Linear(2, 2)])))
    assert "lora" in refused.value.fix


@pytest.mark.parametrize(("name", "wrong"), [("bottleneck", {"placement": "everywhere"}), ("last-n", {"n": 0}), ("prefix", {"tokens": 0})])
def test_wrong_options_are_refused(name, wrong):
    with pytest.raises(ValidationError):
        METHODS.get(name).options(**wrong)


def test_llama_adapter_is_refused_where_peft_cannot_ask_for_queries(llama):
    llama.config.model_type = "qwen2"
    with pytest.raises(TargetsNotFound, match="needs the attention of a Llama"):
        apply("llama-adapter", llama, "causal")


def test_llama_adapter_leaves_the_first_two_layers_and_starts_at_the_base(tmp_path):
    deep = AutoModelForCausalLM.from_pretrained(make_causal(tmp_path / "deep", layers=5)).eval()
    before = last_logits(deep, PROMPTS)
    adapted, coverage = apply("llama-adapter", deep, "causal")
    assert coverage.targets == {"self_attn": 3}
    assert torch.allclose(last_logits(adapted.eval(), PROMPTS), before, atol=1e-5)


def test_virtual_tokens_start_near_padding_and_no_two_alike(llama):
    padding = llama.get_input_embeddings().weight[llama.config.pad_token_id]
    padding += torch.randn(48)  # a random model has zeros there
    prompt, _ = apply("prompt", llama, "causal", tokens=4)
    (tokens,) = (p for p in prompt.parameters() if p.requires_grad)
    assert torch.nn.functional.cosine_similarity(tokens, padding[None]).min() > 0.8
    assert torch.pdist(tokens).min() > 0


def test_with_the_adapter_off_the_base_speaks(llama):
    before = last_logits(llama, PROMPTS)
    adapted, _ = apply("prefix", llama, "causal", tokens=4)
    adapted.eval()
    assert not torch.allclose(last_logits(adapted, PROMPTS), before, atol=1e-3)
    with adapted.disable_adapter():
        assert torch.equal(last_logits(adapted, PROMPTS), before)
    assert not torch.allclose(last_logits(adapted, PROMPTS), before, atol=1e-3), "and on again"
