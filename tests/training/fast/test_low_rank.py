"""Layers that read the same input are one operation, and hold their weights once."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from hatrack.models.loading import load_module, open_base
from hatrack.training.fast.low_rank import fuse_low_rank

IDS = torch.arange(40, 60)[None]


def adapted(folder, **options):
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(0)
    targets = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
    model = get_peft_model(load_module(open_base(str(folder))), LoraConfig(**{"r": 4, "target_modules": targets, **options})).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                parameter.normal_(std=0.05)
    return model


def products(model):
    """How many linear products with frozen weights a forward pass makes."""
    seen = []

    class Count(torch.overrides.TorchFunctionMode):
        def __torch_function__(self, function, types, args=(), kwargs=None):
            if function is nn.functional.linear:
                seen.append(tuple(args[1].shape))
            return function(*args, **(kwargs or {}))

    with torch.no_grad(), Count():
        model(IDS)
    return len(seen)


def test_queries_keys_and_values_are_one_product_and_so_are_gate_and_up(tiny_causal):
    model = adapted(tiny_causal)
    plain, blocks = products(model), model.config.num_hidden_layers
    assert plain == 3 * 7 * blocks + 1
    fuse_low_rank(model, lambda: model(IDS))
    assert products(model) == 4 * blocks + 1


def test_ranks_scales_and_steps_of_the_optimizer_are_kept_apart(tiny_causal):
    options = {"rank_pattern": {"k_proj": 2, "up_proj": 6}, "alpha_pattern": {"v_proj": 32}}
    plain, fused = adapted(tiny_causal, **options), adapted(tiny_causal, **options)
    fuse_low_rank(fused, lambda: fused(IDS))
    optimizers = [torch.optim.SGD([p for p in model.parameters() if p.requires_grad], 0.5) for model in (plain, fused)]
    for _ in range(3):
        losses = [model(IDS, labels=IDS).loss for model in (plain, fused)]
        assert losses[1].item() == pytest.approx(losses[0].item(), rel=1e-5)
        for loss, optimizer in zip(losses, optimizers, strict=True):
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    for (name, a), (_, b) in zip(plain.named_parameters(), fused.named_parameters(), strict=True):
        assert (a - b).norm() <= 1e-4 * a.norm(), name


def test_no_weight_is_held_twice_and_all_can_be_undone(tiny_causal):
    model = adapted(tiny_causal)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    with torch.no_grad():
        logits = model(IDS).logits
    undo = fuse_low_rank(model, lambda: model(IDS))
    attention = model.base_model.model.model.layers[0].self_attn
    storages = {layer.base_layer.weight.untyped_storage().data_ptr() for layer in (attention.q_proj, attention.k_proj, attention.v_proj)}
    assert len(storages) == 1
    with torch.no_grad():
        assert torch.allclose(model(IDS).logits, logits, atol=1e-5)
        with model.disable_adapter():
            model(IDS)
    undo()
    with torch.no_grad():
        assert torch.equal(model(IDS).logits, logits)
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())


def test_a_pass_whose_adapter_has_changed_gives_no_gradients(tiny_causal):
    model = adapted(tiny_causal)
    fuse_low_rank(model, lambda: model(IDS))
    loss = model(IDS, labels=IDS).loss
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.mul_(2)
    with pytest.raises(RuntimeError, match="between a forward pass and its backward"):
        loss.backward()


def test_layers_of_a_module_that_stands_alone_are_not_put_together(tiny_causal):
    model = adapted(tiny_causal)
    blocks = model.base_model.model.model.layers
    fuse_low_rank(model, lambda: model(IDS), [blocks[-1]])
    assert products(model) == 4 * (len(blocks) - 1) + 7 + 1
