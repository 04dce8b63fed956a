"""Differences of tensors: the same bits back, on any machine, and a low rank that says what it misses."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hatrack.models.delta.coding import decode_difference, decode_low_rank, encode_difference, low_rank, unpack


@settings(max_examples=100, deadline=None)
@given(st.sampled_from([1, 2, 4, 8]), st.integers(0, 40), st.data())
def test_any_two_tensors_give_the_second_back_from_the_first(width, count, data):
    base, tuned = (np.frombuffer(data.draw(st.binary(min_size=count * width, max_size=count * width)), np.uint8) for _ in range(2))
    assert decode_difference(base, encode_difference(base, tuned, width), width) == tuned.tobytes()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_special_values_survive(dtype):
    odd = torch.tensor([0.0, -0.0, float("inf"), float("-inf"), float("nan"), 1e-40, -1.5], dtype=dtype)
    base, tuned = (one.view(torch.uint8).numpy().reshape(-1) for one in (odd, odd.flip(0).contiguous()))
    width = odd.element_size()
    assert decode_difference(base, encode_difference(base, tuned, width), width) == tuned.tobytes()


def test_small_steps_take_far_less_than_the_tensor():
    generator = torch.Generator().manual_seed(0)
    base = (0.05 * torch.randn(20_000, generator=generator)).bfloat16()
    tuned = (base.float() + 1e-4 * torch.randn(20_000, generator=generator)).bfloat16()
    coded = encode_difference(*(t.view(torch.uint8).numpy().reshape(-1) for t in (base, tuned)), 2)
    assert coded.nbytes < 0.35 * 2 * 20_000


def test_planes_of_bytes_are_what_is_compressed():
    # all high bytes of small differences are zero and lie side by side
    base = np.zeros(400, np.uint8)
    tuned = np.arange(100, dtype=np.int32).view(np.uint8)
    planes = np.frombuffer(unpack(encode_difference(base, tuned, 4)), np.uint8).reshape(4, 100)
    assert planes[0].tolist() == [2 * i for i in range(100)]
    assert not planes[1:].any()


def random_update(rank, rows=40, columns=30, dtype=torch.float32, seed=0):
    generator = torch.Generator().manual_seed(seed)
    base = torch.randn(rows, columns, generator=generator).to(dtype)
    step = torch.randn(rows, rank, generator=generator) @ torch.randn(rank, columns, generator=generator)
    return base, (base.float() + 0.1 * step).to(dtype)


def test_a_low_rank_difference_is_found_at_its_rank():
    base, tuned = random_update(3)
    found = low_rank(base, tuned, 0.9999)
    assert found.left.shape == (40, 3)
    missed = (decode_low_rank(base, found).double() - tuned.double()).norm() / (tuned.double() - base.double()).norm()
    assert missed < 1e-3


@pytest.mark.parametrize("energy", [0.5, 0.9, 0.99])
def test_the_rank_is_the_smallest_that_holds_the_energy(energy):
    base, tuned = random_update(12)
    found = low_rank(base, tuned, energy)
    s = torch.linalg.svdvals((tuned - base).double()).square()
    rank = found.left.shape[1]
    assert s[:rank].sum() >= energy * s.sum() * (1 - 1e-6)
    assert s[: rank - 1].sum() < energy * s.sum()
    missed = (decode_low_rank(base, found).double() - tuned.double()).square().sum() / s.sum()
    assert missed == pytest.approx(1 - float(s[:rank].sum() / s.sum()), abs=1e-3)


def test_the_product_of_the_factors_is_exact_whatever_the_order():
    base, tuned = random_update(12, dtype=torch.bfloat16)
    found = low_rank(base, tuned, 0.99)
    one_by_one = sum(a.to(torch.int64)[:, None] * b.to(torch.int64)[None] for a, b in zip(found.left.T, found.right, strict=True))
    shuffled = torch.randperm(found.left.shape[1], generator=torch.Generator().manual_seed(1))
    product = found.left[:, shuffled].double() @ found.right[shuffled].double()
    assert torch.equal(product, one_by_one.double())


def test_a_difference_of_full_rank_is_left_to_the_exact_way():
    generator = torch.Generator().manual_seed(0)
    base, tuned = torch.randn(20, 20, generator=generator), torch.randn(20, 20, generator=generator)
    assert low_rank(base, tuned, 0.999) is None
