"""The arithmetic of merging: against the sum itself, and against PEFT's own on a real model."""

from __future__ import annotations

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file

from conftest import make_causal
from hatrack.core.errors import AdapterMismatch
from hatrack.models.adapters.lora import LoraWeights, read_lora
from hatrack.models.loading import load_module, open_base
from hatrack.models.merging.adapter import MergedAdapter, folded_in, merge_adapters, write_lora
from hatrack.models.merging.base import MERGERS, compressed


def adapter(seed, rank=3, size=8):
    generator = torch.Generator().manual_seed(seed)
    return LoraWeights({"q": (torch.randn(rank, size, generator=generator), torch.randn(size, rank, generator=generator))})


def update(weights, path="q"):
    a, b = weights.layers[path]
    return b @ a


def merged(name, parts, weights, rank=None, density=1.0, seed=0):
    return merge_adapters(MERGERS.get(name)(), parts, weights, rank, density, seed)


@pytest.mark.parametrize(("name", "rank"), [("cat", None), ("svd", 7), ("dare-linear", 7)])
def test_with_room_enough_the_result_is_the_weighted_sum(name, rank):
    parts = [adapter(1, 3), adapter(2, 4)]
    result = merged(name, parts, [0.25, -2.0], rank)
    assert torch.allclose(update(result.weights), 0.25 * update(parts[0]) - 2 * update(parts[1]), atol=1e-4)
    assert result.kept == pytest.approx(1)


def test_svd_cuts_to_the_best_approximation_and_says_how_much_it_holds():
    parts = [adapter(1, 3), adapter(2, 4)]
    whole = update(parts[0]) + update(parts[1])
    result = merged("svd", parts, [1, 1], rank=2)
    best = compressed(whole, 2)
    assert torch.allclose(update(result.weights), best.factors[1] @ best.factors[0], atol=1e-4)
    lost = (update(result.weights) - whole).square().sum() / whole.square().sum()
    assert result.kept == pytest.approx(1 - float(lost), abs=1e-5)


def test_ties_averages_the_entries_that_agree_in_sign():
    eye = torch.eye(2)
    one, two = (LoraWeights({"q": (eye, torch.tensor(b))}) for b in ([[4.0, -1.0], [0.1, 2.0]], [[2.0, 3.0], [0.2, -1.0]]))
    by_hand = torch.tensor([[3.0, 3.0], [0.15, 2.0]])  # agreeing entries are averaged, an outvoted one is left out
    assert torch.allclose(update(merged("ties", [one, two], [1, 1]).weights), by_hand, atol=1e-5)
    half = torch.tensor([[3.0, 3.0], [0.0, 2.0]])  # density 0.5 keeps the two largest entries of each
    assert torch.allclose(update(merged("ties", [one, two], [1, 1], density=0.5).weights), half, atol=1e-5)


def test_dare_drops_about_as_many_entries_as_asked_and_scales_up_the_rest():
    part = LoraWeights({"q": (torch.eye(40), torch.ones(40, 40))})
    result = update(merged("dare-linear", [part], [1.0], density=0.25).weights)
    kept = result.abs() > 0.5
    assert 0.15 < kept.float().mean() < 0.35
    assert torch.allclose(result[kept], torch.tensor(4.0), atol=1e-3)
    other = update(merged("dare-linear", [part], [1.0], density=0.25, seed=1).weights)
    assert not torch.allclose(result, other, atol=1e-2), "another seed drops others"


def test_linear_refuses_adapters_of_different_ranks():
    with pytest.raises(AdapterMismatch) as refused:
        merged("linear", [adapter(1, 3), adapter(2, 4)], [1, 1])
    assert refused.value.given == "ranks 3, 4"


@pytest.fixture(scope="module")
def peft_pair(tmp_path_factory):
    """Two adapters of one tiny base as PEFT saved them, one of them rank-stabilised, and that base."""
    root = tmp_path_factory.mktemp("merging")
    base = make_causal(root / "base")
    folders = []
    for seed, stabilised in ((1, False), (2, True)):
        torch.manual_seed(seed)
        config = LoraConfig(
            r=4, lora_alpha=8, target_modules=["q_proj", "up_proj"], init_lora_weights=False, use_rslora=stabilised, task_type="CAUSAL_LM"
        )
        get_peft_model(load_module(open_base(str(base))), config).save_pretrained(root / str(seed), save_embedding_layers=False)
        folders.append(root / str(seed))
    return base, folders


@pytest.mark.parametrize(("name", "theirs"), [("cat", "cat"), ("svd", "svd"), ("ties", "ties_svd"), ("linear", "linear")])
def test_the_result_is_that_of_peft_on_the_same_model(peft_pair, tmp_path, name, theirs):
    base, folders = peft_pair
    if name == "linear":
        folders = [folders[0], folders[0]]  # PEFT splits the scaling over the factors too; equal scalings are comparable
    model = PeftModel.from_pretrained(load_module(open_base(str(base))), folders[0], adapter_name="a")
    model.load_adapter(folders[1], adapter_name="b")
    options = {"svd_rank": 6} if "svd" in theirs else {}
    density = {"density": 0.5} if name == "ties" else {}
    model.add_weighted_adapter(["a", "b"], [0.6, 0.4], "both", combination_type=theirs, **options, **density)
    model.set_adapter("both")
    ids = torch.tensor([[5, 6, 7, 8, 9]])
    with torch.no_grad():
        expected = model(input_ids=ids).logits
    result = merged(name, [read_lora(folder) for folder in folders], [0.6, 0.4], 6 if options else None, 0.5)
    module = load_module(open_base(str(base)))
    with folded_in(module, result.weights.layers), torch.no_grad():
        assert torch.allclose(module(input_ids=ids).logits, expected, atol=1e-3)


def test_what_is_written_is_read_by_peft_and_by_hatrack(peft_pair, tmp_path):
    base, folders = peft_pair
    result = merged("cat", [read_lora(folder) for folder in folders], [0.5, 0.5])
    write_lora(tmp_path, result, "tiny", "CAUSAL_LM")
    again = read_lora(tmp_path)
    assert all(torch.equal(again.layers[path][i], result.weights.layers[path][i]) for path in result.weights.layers for i in (0, 1))
    module, ids = load_module(open_base(str(base))), torch.tensor([[5, 6, 7, 8]])
    with folded_in(module, result.weights.layers), torch.no_grad():
        expected = module(input_ids=ids).logits
    loaded = PeftModel.from_pretrained(load_module(open_base(str(base))), tmp_path)
    with torch.no_grad():
        assert torch.allclose(loaded(input_ids=ids).logits, expected, atol=1e-4)


def test_weights_are_put_back_bit_for_bit_also_after_an_error(peft_pair):
    base, folders = peft_pair
    module = load_module(open_base(str(base)))
    stored = load_file(base / "model.safetensors")
    with pytest.raises(RuntimeError), folded_in(module, read_lora(folders[0]).layers):
        raise RuntimeError
    now = module.state_dict()
    assert all(torch.equal(now[key], tensor) for key, tensor in stored.items())


def test_a_merged_adapter_knows_its_rank():
    assert isinstance(merged("cat", [adapter(1), adapter(2)], [1, 1]), MergedAdapter)
    assert merged("cat", [adapter(1, 3), adapter(2, 4)], [1, 1]).rank == 7
