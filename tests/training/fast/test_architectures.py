"""What is found exact on an architecture is exact there, and nothing is used that is not."""

from __future__ import annotations

import pytest
import torch

from hatrack.core.config_train import FastSettings
from hatrack.training.fast.choose import accelerate
from hatrack.training.fast.products import available
from hatrack.training.objectives.causal import Instruct
from hatrack.training.objectives.classify import Classify
from tiny_architectures import CAUSAL, ENCODERS, batch_of, causal, encoder

WHOLE = ["no padding", "3 of 4 blocks computed once (0 MB on disk)", "last block at labels only"]
# Gemma2 caps its attention scores; Lfm2 convolves along the line
FOUND = {
    **dict.fromkeys(("Llama", "Mistral", "Qwen2", "Qwen3", "Gemma", "Phi3", "Olmo2", "Granite", "GPTNeoX", "GPT2"), WHOLE),
    "Gemma2": WHOLE[1:2],
    "Lfm2": WHOLE[1:2],
    "Bert": WHOLE[:2],
    "Roberta": WHOLE[1:2],  # it numbers positions from its padding token on
    "DistilBert": WHOLE[:2],
}
LIKE_LLAMA = ("Llama", "Mistral", "Qwen2")
# Gemma2 caps its logits, Granite divides them
PLAIN_HEAD = set(CAUSAL) - {"Gemma2", "Granite"}


def gradients(trainee, batch):
    trainee.zero_grad()
    loss = trainee.loss_sum(batch)
    loss.backward()
    return loss.item(), {name: p.grad.clone() for name, p in trainee.named_parameters() if p.requires_grad}


@pytest.mark.parametrize("name", [*CAUSAL, *ENCODERS])
def test_gradients_are_the_plain_ones(name, tmp_path):
    trainee, items = causal(name) if name in CAUSAL else encoder(name)
    base = trainee.adapted
    objective = Instruct() if name in CAUSAL else Classify()
    found = accelerate(trainee, base, base, items, lambda rows: objective.collate(rows, 0), FastSettings(), tmp_path, "it")
    trainee.train()
    fast = trainee.fast
    for rows in (items[:4], items[4:], items[:1]):
        batch = batch_of(trainee, rows)
        trainee.fast = fast
        loss, quick = gradients(trainee, batch)
        trainee.fast = None
        expected, plain = gradients(trainee, batch)
        assert loss == pytest.approx(expected, rel=1e-5)
        whole = torch.cat([g.flatten() for g in plain.values()]).norm()
        for key, gradient in plain.items():
            assert (gradient - quick[key]).norm() <= 1e-5 * max(gradient.norm(), 1e-3 * whole), key
    quick_products = ["products by oneDNN", *(["loss in one pass over the head"] if name in PLAIN_HEAD else [])] if available() else []
    blocks = ["blocks fused"] if name in LIKE_LLAMA else []
    assert found.used == [*FOUND[name], *blocks, *quick_products], str(found)
