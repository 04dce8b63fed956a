from __future__ import annotations

import pytest
import torch

from hatrack.training.fast.forward import FastForward
from hatrack.training.methods.lora.method import Lora
from hatrack.training.methods.lora.options import LoraOptions
from hatrack.training.objectives.base import IGNORED, OBJECTIVES
from hatrack.training.objectives.causal import CausalTrainee
from tiny_training import open_pieces


@pytest.fixture
def pieces(make_project):
    return open_pieces(make_project("classify-by-text", system="Name the colour."))


def adapted_with_noise(base):
    """An adapter that acts: B is not zero."""
    torch.manual_seed(3)
    adapted, _ = Lora().apply(base, LoraOptions(r=4), "causal")
    with torch.no_grad():
        for name, parameter in adapted.named_parameters():
            if "lora_B" in name:
                parameter.normal_(std=0.05)
    return adapted


def batch_of(items, count=12):
    batch = OBJECTIVES.get("classify-by-text")().collate(items[:count], 0)
    batch.pop("rows")
    return batch


def loss_and_gradients(trainee, batch):
    trainee.zero_grad()
    loss = trainee(**batch)
    loss.backward()
    return loss.item(), {name: p.grad.clone() for name, p in trainee.named_parameters() if p.requires_grad}


def assert_same(first, second):
    assert first[0] == pytest.approx(second[0], rel=1e-5)
    assert first[1].keys() == second[1].keys()
    for name, gradient in first[1].items():
        assert gradient.abs().max() > 0, f"{name} is not trained"
        assert (gradient - second[1][name]).norm() <= 1e-5 * second[1][name].norm(), name


def test_the_label_only_head_gives_the_plain_loss_and_gradients(pieces):
    base = pieces.base()
    adapted = adapted_with_noise(base)
    items, _ = pieces.items()
    trainee = CausalTrainee(base, adapted, items[0].ids)
    assert trainee.label_only
    short = loss_and_gradients(trainee, batch_of(items))
    trainee.label_only = False
    assert_same(short, loss_and_gradients(trainee, batch_of(items)))


@pytest.mark.parametrize("packing", [True, False])
def test_label_only_off_computes_every_logit(pieces, packing):
    base = pieces.base()
    items, _ = pieces.items()
    trainee = CausalTrainee(base, base, items[0].ids, label_only=False)
    if packing:
        trainee.fast = FastForward(base, base, None)
        trainee.fast.packing = True
    seen = []
    base.get_output_embeddings().register_forward_hook(lambda module, inputs, out: seen.append(out.shape[0] * out.shape[1]))
    batch = batch_of(items)
    with torch.no_grad():
        loss = float(trainee(**batch))
        assert loss == pytest.approx(float(CausalTrainee(base, base, items[0].ids)(**batch)), rel=1e-5)
    tokens = batch["labels"].numel()
    assert (seen[0] < tokens) if packing else (seen[0] == tokens)
    assert seen[0] > sum(item.counted for item in items[:12])


def test_the_loss_is_the_mean_that_the_model_itself_computes_times_the_labels(pieces):
    base = pieces.base()
    items, _ = pieces.items()
    batch = batch_of(items)
    trainee = CausalTrainee(base, base, items[0].ids)
    with torch.no_grad():
        expected = float(base(**batch).loss) * int((batch["labels"][:, 1:] != IGNORED).sum())
        assert float(trainee(**batch)) == pytest.approx(expected, rel=1e-5)


def test_logits_are_computed_only_where_there_is_a_label(pieces):
    base = pieces.base()
    items, _ = pieces.items()
    trainee = CausalTrainee(base, base, items[0].ids)
    seen = []
    base.get_output_embeddings().register_forward_hook(lambda module, inputs, out: seen.append(tuple(out.shape[:-1])))
    batch = batch_of(items)
    trainee(**batch)
    assert seen == [(sum(item.counted for item in items[:12]),)]
    assert seen[0][0] < batch["labels"].numel() / 3


def soft_capping():
    from transformers import Gemma2Config, Gemma2ForCausalLM

    config = Gemma2Config(
        vocab_size=420,
        hidden_size=48,
        intermediate_size=96,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=12,
        final_logit_softcapping=30.0,
        max_position_embeddings=256,
        attn_implementation="eager",
    )
    return Gemma2ForCausalLM(config)


def scaled_logits():
    from transformers import CohereConfig, CohereForCausalLM

    config = CohereConfig(
        vocab_size=420,
        hidden_size=48,
        intermediate_size=96,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        logit_scale=0.25,
        max_position_embeddings=256,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=3,
    )
    return CohereForCausalLM(config)


@pytest.mark.parametrize("make", [soft_capping, scaled_logits])
def test_an_architecture_that_does_more_behind_the_head_falls_back_to_the_plain_way(pieces, make):
    torch.manual_seed(0)
    base = make().requires_grad_(False).eval()
    base.get_output_embeddings().weight.mul_(0.1)  # logits so small that capping hardly shows in them
    adapted = adapted_with_noise(base)
    items, _ = pieces.items()
    trainee = CausalTrainee(base, adapted, items[0].ids)
    assert not trainee.label_only
    batch = batch_of(items)
    with torch.no_grad():
        expected = float(base(**batch).loss) * int((batch["labels"][:, 1:] != IGNORED).sum())
        assert float(trainee(**batch)) == pytest.approx(expected, rel=1e-5)


def test_trying_the_short_way_leaves_the_base_as_it_was(pieces):
    base = pieces.base()
    items, _ = pieces.items()
    head = base.get_output_embeddings()
    base.train()
    CausalTrainee(base, base, items[0].ids)
    assert base.training
    assert not head._forward_hooks
    assert not any(p.grad is not None for p in base.parameters())


def test_only_answers_and_their_stop_tokens_carry_labels(pieces):
    tokenizer = pieces.files.tokenizer
    items, _ = pieces.items()
    labels = {e.row: e.label for e in pieces.prepared.splits.train}
    for item in items:
        answer = [token for token in item.labels if token != IGNORED]
        assert tokenizer.decode(answer) == labels[item.row] + "<|im_end|>"
        assert item.counted == len(answer)
        assert all(label in (IGNORED, token) for token, label in zip(item.ids, item.labels, strict=True))


def test_padding_changes_no_loss(pieces):
    base = pieces.base()
    items, _ = pieces.items()
    trainee = CausalTrainee(base, base, items[0].ids)
    chosen = sorted(items, key=lambda item: len(item.ids))
    chosen = [chosen[0], chosen[-1]]
    assert len(chosen[0].ids) < len(chosen[1].ids)
    with torch.no_grad():
        alone = sum(float(trainee(**batch_of([item]))) for item in chosen)
        assert float(trainee(**batch_of(chosen))) == pytest.approx(alone, rel=1e-5)


def test_the_base_is_not_registered_twice(pieces):
    base = pieces.base()
    adapted = adapted_with_noise(base)
    trainee = CausalTrainee(base, adapted, pieces.items()[0][0].ids)
    assert {name.split(".")[0] for name, _ in trainee.named_parameters()} == {"adapted"}
