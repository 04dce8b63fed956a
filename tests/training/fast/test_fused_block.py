"""A block as one operation: the same loss and gradients, on every kind of base whose blocks are of this kind."""

from __future__ import annotations

import random

import pytest
import torch
from peft import LoraConfig, get_peft_model

from hatrack.core.config_train import FastSettings
from hatrack.training.fast import small_attention
from hatrack.training.fast.choose import accelerate
from hatrack.training.fast.fused_block import fuse_blocks
from hatrack.training.objectives.base import IGNORED, Item
from hatrack.training.objectives.causal import CausalTrainee, Instruct
from tiny_architectures import CAUSAL, batch_of, model_of

LIKE_LLAMA = ("Llama", "Mistral", "Qwen2")
EVERY = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


def rows(beginning: int) -> list[Item]:
    rng = random.Random(1)
    items = []
    for row in range(9):
        ids = [*range(10, 10 + beginning), *(rng.randrange(20, 120) for _ in range(rng.randrange(4, 20)))]
        items.append(Item(row, tuple(ids), tuple([IGNORED] * (len(ids) - 3) + ids[-3:])))
    return items


def lora(name: str, targets: list[str], **options) -> tuple[CausalTrainee, list[Item]]:
    """All four blocks adapted, and the adapters act."""
    base = model_of(name, CAUSAL[name], "ForCausalLM")
    adapted = get_peft_model(base, LoraConfig(**{"r": 4, "target_modules": targets, **options}))
    torch.manual_seed(1)
    with torch.no_grad():
        for key, parameter in adapted.named_parameters():
            if "lora_B" in key:
                parameter.normal_(std=0.1)
            if "norm" in key or key.endswith("bias"):
                parameter.normal_(std=0.5).add_(1)  # new models have ones and zeros, with which much that is wrong looks right
    items = rows(options.pop("beginning", 5))
    return CausalTrainee(base, adapted, items[0].ids), items


def speed_up(trainee, items, tmp_path, **settings):
    objective = Instruct()
    found = accelerate(
        trainee, trainee._base[0], trainee.adapted, items, lambda some: objective.collate(some, 0), FastSettings(**settings), tmp_path, "it"
    )
    trainee.train()
    return found


def gradients(trainee, batch):
    trainee.zero_grad()
    loss = trainee.loss_sum(batch)
    loss.backward()
    return loss.item(), {name: p.grad.clone() for name, p in trainee.named_parameters() if p.requires_grad}


def same(trainee, items) -> None:
    fast = trainee.fast
    for some in (items[:4], items[4:], items[:1], items[2:4]):
        batch = batch_of(trainee, some)
        trainee.fast = fast
        loss, quick = gradients(trainee, batch)
        trainee.fast = None
        expected, plain = gradients(trainee, batch)
        trainee.fast = fast
        assert loss == pytest.approx(expected, rel=1e-5)
        assert plain.keys() == quick.keys()
        whole = torch.cat([g.flatten() for g in plain.values()]).norm()
        for key, gradient in plain.items():
            assert (gradient - quick[key]).norm() <= 2e-5 * max(gradient.norm(), 1e-2 * whole), key


@pytest.mark.parametrize("scores", [2**21, 0], ids=["scores held", "long rows"])
@pytest.mark.parametrize("targets", [EVERY, ["q_proj", "v_proj"], ["down_proj"]], ids=["all", "q and v", "down"])
@pytest.mark.parametrize("name", LIKE_LLAMA)
def test_gradients_are_the_plain_ones(name, targets, scores, tmp_path, monkeypatch):
    monkeypatch.setattr(small_attention, "_SCORES", scores)
    trainee, items = lora(name, targets)
    assert "blocks fused" in speed_up(trainee, items, tmp_path).used
    same(trainee, items)


def test_without_a_beginning_that_rows_share(tmp_path):
    trainee, _ = lora("Llama", EVERY)
    items = rows(0)
    assert "blocks fused" in speed_up(trainee, items, tmp_path).used
    same(trainee, items)


def test_rows_of_one_length_that_share_nothing_are_packed_all_the_same(tmp_path):
    trainee, items = lora("Llama", EVERY)
    speed_up(trainee, items, tmp_path)
    equal = [Item(row, tuple(range(20 + row, 30 + row)), tuple([IGNORED] * 7 + [40, 41, 42])) for row in range(9)]
    batch = batch_of(trainee, equal)
    assert trainee.fast.layout(batch["input_ids"], batch["attention_mask"]) is not None
    same(trainee, equal)


def test_only_the_last_blocks_adapted_and_the_others_computed_once(tmp_path):
    trainee, items = lora("Qwen2", EVERY, layers_to_transform=[2, 3])
    found = speed_up(trainee, items, tmp_path)
    assert {"blocks fused", "adapters fused", "2 of 4 blocks computed once (0 MB on disk)"} <= set(found.used)
    same(trainee, items)


def test_the_blocks_of_the_lower_part_hold_their_weights_where_they_were(tmp_path):
    trainee, items = lora("Llama", EVERY, layers_to_transform=[2, 3])
    lowest = trainee._base[0].model.layers[0].mlp.gate_proj
    before = lowest.weight.data_ptr()
    speed_up(trainee, items, tmp_path)
    assert lowest.weight.data_ptr() == before
    attention = trainee._base[0].model.layers[2].self_attn
    stacked = [getattr(attention, f"{x}_proj").base_layer.weight.untyped_storage().data_ptr() for x in "qkv"]
    assert len(set(stacked)) == 1  # and nothing twice


@pytest.mark.parametrize("name", ["Qwen3", "Gemma", "Granite", "Phi3", "Olmo2", "GPTNeoX"])
def test_other_blocks_stay_as_they_are(name, tmp_path):
    base = model_of(name, CAUSAL[name], "ForCausalLM")
    adapted = get_peft_model(base, LoraConfig(r=4, target_modules="all-linear"))
    items = rows(5)
    trainee = CausalTrainee(base, adapted, items[0].ids)
    found = speed_up(trainee, items, tmp_path)
    assert "blocks fused" not in found.used
    assert "no padding" in found.used  # what was tried together with it is still used
    same(trainee, items)


def test_a_block_with_dropout_stays_as_it_is(tmp_path):
    base = model_of("Llama", {"attention_dropout": 0.1}, "ForCausalLM")
    adapted = get_peft_model(base, LoraConfig(r=4, target_modules=EVERY))
    items = rows(5)
    assert "blocks fused" not in speed_up(CausalTrainee(base, adapted, items[0].ids), items, tmp_path).used
    trainee, items = lora("Llama", EVERY, lora_dropout=0.1)
    assert "blocks fused" not in speed_up(trainee, items, tmp_path).used


def test_switched_off_adapters_and_mixed_precision_take_the_plain_way(tmp_path):
    trainee, items = lora("Llama", EVERY)
    speed_up(trainee, items, tmp_path)
    batch = batch_of(trainee, items[:4])
    fast = trainee.fast
    with torch.no_grad(), trainee.adapted.disable_adapter():
        off = trainee.loss_sum(batch).item()
        trainee.fast = None
        assert off == pytest.approx(trainee.loss_sum(batch).item(), rel=1e-5)
    trainee.fast = fast
    assert abs(trainee.loss_sum(batch).item() - off) > 1e-3 * off
    with torch.autocast("cpu", torch.bfloat16):
        mixed = trainee.loss_sum(batch).item()
        trainee.fast = None
        assert mixed == pytest.approx(trainee.loss_sum(batch).item(), rel=0.05)


def test_an_adapter_changed_between_the_passes_is_refused(tmp_path):
    trainee, items = lora("Llama", EVERY)
    speed_up(trainee, items, tmp_path)
    loss = trainee.loss_sum(batch_of(trainee, items[:4]))
    with torch.no_grad():
        next(p for name, p in trainee.named_parameters() if "layers.1.mlp.down_proj.lora_B" in name).add_(1.0)
    with pytest.raises(RuntimeError, match="changed between"):
        loss.backward()


def test_off_is_off(tmp_path):
    trainee, items = lora("Llama", EVERY)
    assert "blocks fused" not in speed_up(trainee, items, tmp_path, fused="off").used
    assert not [module for module in trainee._base[0].model.layers if "forward" in vars(module)]


def test_what_undoes_it(tmp_path):
    trainee, items = lora("Llama", EVERY)
    speed_up(trainee, items, tmp_path, fused="off")
    blocks = list(trainee._base[0].model.layers)
    batch = batch_of(trainee, items[:3])
    undo = fuse_blocks(trainee.adapted, blocks[:-1], lambda: trainee.loss_sum(batch), torch.nn.functional.linear)
    assert ["forward" in vars(block) for block in blocks] == [True, True, True, False]
    same(trainee, items)
    undo()
    assert not any("forward" in vars(block) for block in blocks)
    same(trainee, items)
