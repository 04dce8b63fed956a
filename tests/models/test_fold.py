"""An adapter folded into the weights of its base: the same logits, tied weights untied where they must be, no place no fold."""

from __future__ import annotations

import json

import pytest
import torch

from hatrack.core.errors import AdapterMismatch
from hatrack.models.adapters.base import read_variants
from hatrack.models.adapters.fold import fold_in
from hatrack.models.adapters.lora import LowRank
from hatrack.models.adapters.switch import Variant
from hatrack.models.causal import last_logits
from hatrack.models.encoder import embed
from hatrack.models.host import ModelHost
from hatrack.models.loading import load_module
from models.conftest import train

PROMPTS = [[2, 60, 70, 80, 90], [2, 61, 71]]
FOLDED = {
    "lora": {"r": 4},
    "dora": {"r": 4},
    "vera": {"r": 16},
    "ia3": {},
    "ln": {},
    "last-n": {"n": 1},
    "full": {},
}


@pytest.mark.parametrize("name", FOLDED)
def test_F20_the_folded_model_has_the_adapters_logits(causal_files, tmp_path, name):
    folder = train(tmp_path, causal_files, "classify-by-text", 1, epochs=1, method=name, **FOLDED[name])
    host = ModelHost(causal_files)
    host.attach(name, folder)
    with host.using(name):
        ours = last_logits(host.module, PROMPTS)
    module = load_module(causal_files)
    before = last_logits(module, PROMPTS)
    fold_in(module, read_variants(folder, module))
    assert torch.allclose(last_logits(module, PROMPTS), ours, atol=1e-4)
    assert not torch.allclose(ours, before, atol=1e-3)


def test_an_encoder_is_folded_too(encoder_files, adapter_e):
    host = ModelHost(encoder_files)
    host.attach("e", adapter_e)
    rows = [[2, 60, 61, 3]]
    with host.using("e"):
        ours = host.embed_ids(rows)
    module = load_module(encoder_files)
    fold_in(module, read_variants(adapter_e, module))
    with torch.inference_mode():
        assert torch.allclose(embed(module, torch.tensor(rows), torch.ones(1, 4, dtype=torch.long)), ours, atol=1e-5)


def test_F20_a_head_that_is_tied_to_the_embeddings_is_untied_and_stays_so_on_disk(causal_files, tmp_path):
    from transformers import AutoModelForCausalLM

    module = load_module(causal_files)
    width, size = module.config.hidden_size, module.config.vocab_size
    torch.manual_seed(0)
    a, b = torch.randn(4, width) * 0.3, torch.randn(size, 4) * 0.3
    embeddings = module.get_input_embeddings().weight.clone()
    before = last_logits(module, PROMPTS)
    fold_in(module, {"lm_head": LowRank(a, b)})
    after = last_logits(module, PROMPTS)
    assert not torch.allclose(before, after, atol=1e-2)
    assert torch.equal(module.get_input_embeddings().weight, embeddings)
    module.save_pretrained(tmp_path)
    assert json.loads((tmp_path / "config.json").read_text())["tie_word_embeddings"] is False, "other tools would tie them again"
    again = AutoModelForCausalLM.from_pretrained(tmp_path, dtype=torch.float32).eval()
    assert torch.allclose(last_logits(again, PROMPTS), after, atol=1e-5)


class Bent(Variant):
    """No matrix can do this."""

    def forward(self, inner, x):
        return inner(x) + x.abs().mean(-1, keepdim=True)


def test_a_variant_that_is_not_affine_is_found_out(causal_files):
    module = load_module(causal_files)
    with pytest.raises(AdapterMismatch, match="no place") as refused:
        fold_in(module, {"model.layers.0.mlp.up_proj": Bent()})
    assert "not affine" in refused.value.given


@pytest.mark.parametrize(("name", "options"), [("bottleneck", {}), ("bitfit", {}), ("prefix", {"tokens": 4})])
def test_what_no_weight_can_stand_for_is_refused(causal_files, tmp_path, name, options):
    # the tiny Llama has no biases, so those that bitfit adds have no place
    folder = train(tmp_path, causal_files, "classify-by-text", 1, epochs=1, method=name, **options)
    module = load_module(causal_files)
    with pytest.raises(AdapterMismatch, match="no place"):
        fold_in(module, read_variants(folder, module))
