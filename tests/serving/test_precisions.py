"""What holds the base's linear layers: each precision against the exact product."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from hatrack.serving.decoder.linear import AdapterRoom, Linear8, LinearBytes, LinearMaker
from hatrack.serving.decoder.shape import TARGETS, DecoderShape
from hatrack.serving.kernels.adapters import adapt
from hatrack.serving.kernels.byte_adapters import pack_pair, pair_bytes
from hatrack.serving.kernels.bytes import packed_bytes
from hatrack.serving.kernels.memory import Room, enlarge, zeros
from hatrack.serving.kernels.vnni import available
from hatrack.serving.slots import AdapterMemory, PackedLora

_NEEDS_BYTES = pytest.mark.skipif(not available(), reason="this processor does not multiply bytes as one instruction (AVX512-VNNI)")


def eight(kind, weight, energy=None):
    energy = torch.ones(weight.shape[1]) if energy is None else energy
    return Linear8(weight, energy) if kind == "torch" else LinearBytes(weight, energy, Room(packed_bytes(*reversed(weight.shape))))


def error(found, x, weight):
    exact = x.double() @ weight.double().T
    return ((found - exact).norm() / exact.norm()).item()


@pytest.fixture(params=["torch", pytest.param("bytes", marks=_NEEDS_BYTES)])
def kind(request):
    return request.param


@pytest.mark.parametrize(("precision", "largest"), [("fp32", 1e-6), ("bf16", 1e-2), ("int8", 3e-2)])
def test_the_product_is_right_up_to_what_the_precision_rounds_off(precision, largest):
    torch.manual_seed(0)
    weight, x = torch.randn(48, 64), torch.randn(5, 64)
    found = LinearMaker(precision, [(64, 48)])(weight)(x)
    assert found.dtype == torch.float32
    assert error(found, x, weight) < largest
    if precision != "fp32":
        assert error(found, x, weight) > 1e-4, "it does hold the weights in fewer bits"


@pytest.mark.parametrize("rows", [1, 2, 3, 7, 16, 17, 40])
@pytest.mark.parametrize(("d_in", "d_out"), [(64, 48), (7, 33), (576, 16), (24, 1), (2, 20)])
def test_a_row_in_8_bits_is_alone_what_it_is_beside_others(kind, rows, d_in, d_out):
    """F25, to the bit; rows of zeros, of one number, and of numbers so small that their step has no inverse among them."""
    torch.manual_seed(rows)
    weight, x = torch.randn(d_out, d_in), torch.randn(rows, d_in)
    weight[0] = 0
    x[0] *= 0
    x[1:2, 1:] = 0
    x[2:3] *= 1e-38
    linear = eight(kind, weight)
    found = linear(x)
    for row in range(rows):
        assert torch.equal(linear(x[row : row + 1].clone())[0], found[row])
    assert not found[0].any()
    assert not found[:, 0].any()
    if rows > 3 and d_out > 1:
        assert error(found, x, weight) < 0.03


@pytest.mark.parametrize(
    "places", [(0, 1, 2, 3, 4, 5), (5, 21, 37, 54, 70, 86), (90, 9, 99, 16, 15, 31)], ids=["a cell", "two lanes", "anywhere"]
)
@pytest.mark.parametrize("large", [3.0, 60.0, 5000.0])
def test_a_few_large_numbers_of_a_row_do_not_cost_the_others_their_digits(kind, places, large):
    """Large ones that cancel each other, so that what is left is the others'. Magnitudes that are equal are among them."""
    torch.manual_seed(0)
    weight, x = torch.randn(40, 100), torch.randn(9, 100)
    weight[:, list(places)] = weight[:, list(places[:1])]  # as 8 bits hold them, too
    x[:, list(places)] = large * torch.tensor([1.0, -1.0, 1.5, -1.5, 2.0, -2.0])
    found = eight(kind, weight)(x)
    # 15 bits hold a large number to 1/16256 of itself, which is more than the others are in the largest case
    assert error(found, x, weight) < (0.03 if large < 100 else 0.4)
    assert torch.isnan(eight(kind, weight)(torch.cat([x[:1], torch.full((1, 100), torch.nan)]))).tolist() == [[False] * 40, [True] * 40]


def test_columns_that_matter_most_keep_what_8_bits_take_from_their_weights(kind):
    """Where the inputs of eight columns are far larger than the rest, in all rows, nearly nothing is lost."""
    torch.manual_seed(0)
    weight, x = torch.randn(48, 64), torch.randn(16, 64)
    x[:, 8:16] *= 40
    energy = x.square().mean(0)
    with_them, without = (error(eight(kind, weight, e)(x), x, weight) for e in (energy, 1 / energy))
    assert with_them < without * (0.7 if kind == "torch" else 0.4)  # torch's inputs have a bit less


@_NEEDS_BYTES
@pytest.mark.parametrize("tokens", [1, 5, 16, 37])
@pytest.mark.parametrize(("width", "inner", "rank"), [(32, 40, 4), (64, 48, 16), (48, 64, 18)])
def test_the_product_and_the_adapters_at_once_are_what_they_are_one_after_the_other(tokens, width, inner, rank):
    """Tokens of the base, of an adapter on one of two targets and of one on both; each alone is what it is beside the others (F25)."""
    rng = np.random.default_rng(tokens)
    shape = DecoderShape(layers=1, width=width, heads=2, kv_heads=1, head=16, inner=inner, vocabulary=64, eps=1e-5)
    gate, up = TARGETS.index("mlp.gate_proj"), TARGETS.index("mlp.up_proj")
    pair = lambda: (rng.standard_normal((rank, width)).astype(np.float32), rng.standard_normal((inner, rank)).astype(np.float32))  # noqa: E731
    adapters = (PackedLora(((0, up, *pair()),)), PackedLora(((0, gate, *pair()), (0, up, *pair()))))
    memory, exact = AdapterMemory(shape, 2, rank, "int8"), AdapterMemory(shape, 2, rank)
    for held in (memory, exact):
        for n, adapter in enumerate(adapters, 1):
            held.write(n, adapter)
    linear = eight("bytes", torch.randn(2 * inner, width))
    x = rng.standard_normal((tokens, width)).astype(np.float32)
    bias = rng.standard_normal(2 * inner).astype(np.float32)
    slot = np.sort(rng.integers(0, 3, tokens)).astype(np.int32)
    rest = (np.array([gate, up]), np.array([0, inner, 2 * inner]))

    def at_once(rows: slice) -> np.ndarray:
        more = np.full(len(slot[rows]) * 2 * inner + 7, np.nan, np.float32)
        adapters = (memory.arena, memory.offset[:, 0], memory.rank[:, 0], slot[rows], *rest)
        both = [linear.adapted(x[rows].copy(), bias, AdapterRoom(more.copy(), crowds), *adapters) for crowds in (False, True)]
        assert (both[0] == both[1]).all()
        return both[0]

    found = at_once(slice(None))
    after = linear(torch.from_numpy(x)).numpy()
    adapt(x, after, bias, exact.arena, exact.offset[:, 0], exact.rank[:, 0], slot, *rest)
    assert np.linalg.norm(found - after) < 0.015 * np.linalg.norm(after)
    assert (found[slot == 0] == after[slot == 0]).all(), "the base as if there were no adapters (F33)"
    assert (found[slot == 1, :inner] == after[slot == 1, :inner]).all(), "nor on a layer that an adapter does not change"
    for linear._workers in (1, 2, 3):  # however many threads share the work
        assert (at_once(slice(None)) == found).all()
        for t in range(tokens):
            assert (at_once(slice(t, t + 1))[0] == found[t]).all()


def test_a_room_holds_what_was_put_into_it_side_by_side():
    room = Room(64 + 128)
    first, second = room.put(np.full(33, 1, np.uint8)), room.put(np.full(128, 2, np.uint8))
    assert (first == 1).all()
    assert (second == 2).all()
    assert first.ctypes.data % 64 == second.ctypes.data % 64 == 0
    with pytest.raises(ValueError, match="do not fit"):
        room.put(np.ones(1, np.uint8))


def test_larger_pages_hold_what_the_smaller_ones_held():
    """Whatever the system gives: the numbers stay, and those of a neighbour, on the same page, too."""
    rows = zeros((3, 2_500_000), np.uint16)
    for number in range(3):
        rows[number] = number + 1
        enlarge(rows[number], rows)
    assert (rows == np.array([[1], [2], [3]])).all()
    enlarge(rows[1, :10], rows)  # less than a page
    assert (rows == np.array([[1], [2], [3]])).all()


@pytest.mark.parametrize("held", ["fp32", "bf16"])
def test_adapters_act_as_what_they_are_held_as(held):
    """Beside a base in bfloat16 the nearest bfloat16, not the bits that happen to be the upper half."""
    rng = np.random.default_rng(0)
    shape = DecoderShape(layers=1, width=32, heads=4, kv_heads=2, head=8, inner=48, vocabulary=64, eps=1e-5)
    memory = AdapterMemory(shape, 2, 4, held)
    target = TARGETS.index("mlp.up_proj")
    a, b = (rng.standard_normal(size).astype(np.float32) for size in ((4, 32), (48, 4)))
    memory.write(2, PackedLora(((0, target, a, b),)))
    x = rng.standard_normal((3, 32)).astype(np.float32)
    y = np.ones((3, 48), np.float32)
    slot = np.array([2, 0, 1], np.int32)
    places = np.array([target]), np.array([0, 48])
    adapt(x, y, np.empty(0, np.float32), memory.arena, memory.offset[:, 0], memory.rank[:, 0], slot, *places)
    held_a, held_b = (torch.from_numpy(m).bfloat16().float().numpy() if held == "bf16" else m for m in (a, b))
    np.testing.assert_allclose(y[0], 1 + held_b @ (held_a @ x[0]), rtol=2e-5)
    assert (y[1:] == 1).all(), "the base, and a slot that nobody was written into"
    assert memory.arena.nbytes == 3 * (4 * sum(map(sum, shape.sizes))) * (2 if held == "bf16" else 4)


def test_an_adapter_in_8_bits_takes_less_than_half_of_bfloat16_and_loses_little_of_each_rank():
    """Ranks of very different size, which one scale for all would round away."""
    rng = np.random.default_rng(0)
    a, b = (rng.standard_normal(size).astype(np.float32) for size in ((16, 576), (192, 16)))
    a *= np.logspace(-3, 3, 16, dtype=np.float32)[:, None]
    b *= np.logspace(2, -4, 16, dtype=np.float32)[None]
    packed = np.empty(pair_bytes(576, 192, 16), np.uint8)
    pack_pair(a, b, np.arange(8) * 10, packed)
    assert len(packed) < 1.03 * (a.size + b.size)
    factors = packed[:64].view(np.float32)
    held_a = packed[192 : 192 + a.size].reshape(144, 16, 4).swapaxes(0, 1).reshape(16, 576).astype(np.float32) - 128
    held_b = packed[192 + a.size :].reshape(12, 4, 16, 4).transpose(0, 2, 1, 3).reshape(192, 16).astype(np.float32) - 128
    for r in range(16):
        exact = np.outer(b[:, r], a[r])
        assert np.linalg.norm(factors[r] * np.outer(held_b[:, r], held_a[r]) - exact) < 0.015 * np.linalg.norm(exact)
