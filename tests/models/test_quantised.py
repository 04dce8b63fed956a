"""A base in 4 bits: how small it is, how near it stays, and what it refuses."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from conftest import make_causal
from hatrack.core.errors import MissingExtra, ModelError
from hatrack.models.loading import load_module, open_base
from hatrack.models.quantised import check_not_quantised, quantise, resident_bytes

PROMPTS = [[2, 60, 70, 80, 90], [2, 61, 71]]


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wide")
    return open_base(str(make_causal(folder / "wide-llama", width=128)), cache=folder)


@pytest.fixture
def module(files):
    return load_module(files)


def test_the_matrices_of_the_blocks_take_little_more_than_half_a_byte(module):
    matrices = [p.numel() for name, p in module.named_parameters() if p.dim() == 2 and ".layers." in name]
    before = resident_bytes(module)
    assert before == sum(t.nbytes for t in [*module.parameters(), *module.buffers()])
    quantise(module)
    saved = (before - resident_bytes(module)) / sum(matrices)
    assert 3.3 < saved < 3.5  # of 4 bytes; in small layers the tables of the constants weigh more


def test_what_is_no_matrix_of_a_block_stays_as_it_was(module):
    embedding, norm = module.model.embed_tokens.weight.clone(), module.model.norm.weight.clone()
    quantise(module)
    assert torch.equal(module.model.embed_tokens.weight, embedding)
    assert torch.equal(module.model.norm.weight, norm)
    assert type(module.lm_head) is nn.Linear


def test_a_weight_is_kept_to_a_tenth_and_acts_as_what_was_kept(module):
    from bitsandbytes.functional import dequantize_4bit

    weight, x = module.model.layers[0].mlp.up_proj.weight.clone(), torch.randn(3, 128)
    quantise(module)
    layer = module.model.layers[0].mlp.up_proj
    kept = dequantize_4bit(layer.weight.data, layer.weight.quant_state)
    assert 0.02 < float((kept - weight).norm() / weight.norm()) < 0.12
    assert torch.allclose(layer(x), x @ kept.T, atol=1e-5)


def test_evaluation_computes_as_training_does(module):
    quantise(module)
    ids = torch.tensor(PROMPTS[:1])
    with torch.no_grad():
        assert torch.equal(module.train()(input_ids=ids).logits, module.eval()(input_ids=ids).logits)


def test_F20_nothing_is_merged_into_it_and_it_is_not_quantised_twice(module):
    check_not_quantised(module)
    quantise(module)
    with pytest.raises(ModelError, match="held in 4 bits") as refused:
        check_not_quantised(module)
    assert "21 4-bit layers" in refused.value.given
    with pytest.raises(ModelError):
        quantise(module)


def test_layers_that_would_be_read_wrongly_stay_in_full_precision(causal_files):
    with pytest.raises(ModelError, match="no layer of this base can be held in 4 bits") as refused:
        quantise(load_module(causal_files))
    assert refused.value.given == "inputs of 48, 96"


def test_without_bitsandbytes_the_extra_is_named(module, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "bitsandbytes", None)
    with pytest.raises(MissingExtra) as refused:
        quantise(module)
    assert "hatrack[qlora]" in refused.value.fix
