"""Virtual tokens on an encoder: the text keeps its positions, padding stays unseen, and only the text is pooled."""

from __future__ import annotations

import pytest
import torch
from transformers import BertConfig, BertModel, RobertaConfig, RobertaModel

from hatrack.models.adapters.switch import Active, Switch, place
from hatrack.models.adapters.virtual import Held, InputTokens, PrefixTokens
from hatrack.models.encoder import embed, pad_right

SIZES = {
    "vocab_size": 60,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": 20,
    "initializer_range": 0.3,
    "pad_token_id": 1,
}
ROWS = [[5, 6, 7, 8, 9], [10, 11], [12, 13, 14]]


@pytest.fixture(params=["bert", "roberta"])
def encoder(request):
    torch.manual_seed(0)
    kinds = {"bert": (BertConfig, BertModel), "roberta": (RobertaConfig, RobertaModel)}
    config, model = kinds[request.param]
    return model(config(**SIZES)).eval()


def with_tokens(encoder, variant):
    active = Active("it")
    root = Switch(encoder, active)
    place(root, {"": variant}, "it", active)
    return root


@pytest.fixture(params=["embeddings", "prefix"])
def adapted(request, encoder):
    torch.manual_seed(1)
    if request.param == "embeddings":
        return with_tokens(encoder, InputTokens(Held(torch.randn(3, 32))))
    return with_tokens(encoder, PrefixTokens(Held(torch.randn(3, 2 * 2 * 32)), causal=False))


@torch.no_grad()
def test_a_row_in_a_padded_batch_is_the_row_alone(adapted):
    together = embed(adapted, *pad_right(ROWS, 1))
    alone = torch.cat([embed(adapted, *pad_right([row], 1)) for row in ROWS])
    assert torch.allclose(together, alone, atol=1e-5)


@torch.no_grad()
def test_the_text_keeps_its_positions(encoder):
    # where no values are passed on, all that is left of a prefix is where it puts the text
    root = with_tokens(encoder, PrefixTokens(Held(torch.zeros(3, 2 * 2 * 32)), causal=False))
    for layer in encoder.encoder.layer:
        layer.attention.self.value.weight.zero_()
        layer.attention.self.value.bias.zero_()
    root.active.name = "base"
    plain = embed(root, *pad_right(ROWS, 1))
    root.active.name = "it"
    assert torch.allclose(embed(root, *pad_right(ROWS, 1)), plain, atol=1e-5)


@torch.no_grad()
def test_a_text_as_long_as_the_base_can_read_still_fits(adapted):
    longest = 20 - 2 * (type(adapted.inner).__name__ == "RobertaModel")
    assert embed(adapted, *pad_right([list(range(2, 2 + longest))], 1)).isfinite().all()
