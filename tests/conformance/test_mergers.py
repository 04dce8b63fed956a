"""What every merger promises; a new one is tested here by being in the table."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hatrack.models.adapters.lora import LoraWeights
from hatrack.models.merging.adapter import merge_adapters
from hatrack.models.merging.base import MERGERS

every_merger = pytest.mark.parametrize("name", MERGERS.names())
OUT, IN = 12, 10


def adapter(seed, rank=3, paths=("layers.0.q", "layers.1.q")):
    generator = torch.Generator().manual_seed(seed)
    return LoraWeights({path: (torch.randn(rank, IN, generator=generator), torch.randn(OUT, rank, generator=generator)) for path in paths})


def updates(weights):
    return {path: b @ a for path, (a, b) in weights.layers.items()}


def merged(name, adapters, weights, rank=None, density=1.0, seed=0):
    return merge_adapters(MERGERS.get(name)(), adapters, weights, rank, density, seed)


@every_merger
@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000), rank=st.integers(1, 6))
def test_F21_one_adapter_with_weight_1_comes_out_as_it_went_in(name, seed, rank):
    one = adapter(seed, rank)
    result = merged(name, [one], [1.0])
    for path, update in updates(one).items():
        assert torch.allclose(updates(result.weights)[path], update, atol=1e-4)
    assert result.kept == pytest.approx(1, abs=1e-5)


@every_merger
def test_every_layer_has_the_rank_that_the_result_says(name):
    parts = [adapter(1), adapter(2, paths=("layers.1.q", "layers.2.q"))]
    result = merged(name, parts, [0.5, 0.5], density=0.6)
    assert set(result.weights.layers) == {"layers.0.q", "layers.1.q", "layers.2.q"}
    assert {(a.shape, b.shape) for a, b in result.weights.layers.values()} == {((result.rank, IN), (OUT, result.rank))}
    assert 0 < result.kept <= 1 + 1e-9


@every_merger
def test_the_same_seed_gives_the_same_bits_and_the_global_generator_is_left_alone(name):
    parts = [adapter(1), adapter(2)]
    torch.manual_seed(7)
    before = torch.get_rng_state()
    results = [merged(name, parts, [0.7, 0.3], density=0.5, seed=3) for _ in range(2)]
    assert torch.equal(torch.get_rng_state(), before)
    for path, (a, b) in results[0].weights.layers.items():
        assert torch.equal(a, results[1].weights.layers[path][0])
        assert torch.equal(b, results[1].weights.layers[path][1])


@every_merger
def test_a_negative_weight_takes_an_update_away(name):
    one = adapter(1)
    result = updates(merged(name, [one], [-1.0]).weights)
    assert all(torch.allclose(result[path], -update, atol=1e-4) for path, update in updates(one).items())


@every_merger
def test_a_merger_describes_itself(name):
    merger = MERGERS.get(name)()
    assert merger.name == name
    assert merger.summary
    assert isinstance(merger.takes_rank, bool)
    assert isinstance(merger.takes_density, bool)
