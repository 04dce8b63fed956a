"""What holds the base's linear layers: each precision against the exact product."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from hatrack.serving.decoder.linear import Linear8, LinearBytes, LinearMaker
from hatrack.serving.decoder.shape import TARGETS, DecoderShape
from hatrack.serving.kernels.adapters import adapt
from hatrack.serving.kernels.bytes import packed_bytes
from hatrack.serving.kernels.memory import Room, enlarge, zeros
from hatrack.serving.kernels.vnni import available
from hatrack.serving.slots import AdapterMemory, PackedLora


@pytest.mark.parametrize(("precision", "largest"), [("fp32", 1e-6), ("bf16", 1e-2), ("int8", 3e-2)])
def test_the_product_is_right_up_to_what_the_precision_rounds_off(precision, largest):
    torch.manual_seed(0)
    weight, x = torch.randn(48, 64), torch.randn(5, 64)
    x /= x.abs().amax(1, keepdim=True)  # as 8 bits want it
    exact = (x.double() @ weight.double().T).float()
    linear = LinearMaker(precision, [(64, 48)])(weight)
    found = linear(x)
    assert found.dtype == torch.float32
    error = ((found - exact).norm() / exact.norm()).item()
    assert error < largest
    if precision != "fp32":
        assert error > 1e-4, "it does hold the weights in fewer bits"


@pytest.mark.skipif(not available(), reason="this processor does not multiply bytes as one instruction (AVX512-VNNI)")
@pytest.mark.parametrize("rows", [1, 2, 3, 7, 16, 17, 40])
@pytest.mark.parametrize(("d_in", "d_out"), [(64, 48), (7, 33), (576, 16), (24, 1)])
def test_our_product_of_bytes_is_that_of_torch_to_the_bit(rows, d_in, d_out):
    """Inputs at and beside the middle between two steps among them; and each row beside others is what it is alone (F25)."""
    torch.manual_seed(rows)
    weight, x = torch.randn(d_out, d_in), torch.rand(rows, d_in) * 2 - 1
    x[:, ::3] = ((torch.randint(-63, 63, x[:, ::3].shape) + 0.5) / 63) * (1 + 1e-7 * torch.randn(x[:, ::3].shape))
    weight[0] = 0
    x[0] *= 0
    ours, torchs = LinearBytes(weight, Room(packed_bytes(d_in, d_out))), Linear8(weight)
    found = ours(x)
    assert torch.equal(found, torchs(x))
    for row in range(rows):
        assert torch.equal(ours(x[row : row + 1].clone())[0], found[row])


@pytest.mark.skipif(not available(), reason="this processor does not multiply bytes as one instruction (AVX512-VNNI)")
@pytest.mark.parametrize("tokens", [1, 5, 16, 37])
def test_the_product_and_the_adapters_at_once_are_what_they_are_one_after_the_other(tokens):
    """Tokens of the base, of an adapter on one of two targets and of one on both; each alone is what it is beside the others (F25)."""
    rng = np.random.default_rng(tokens)
    shape = DecoderShape(layers=1, width=32, heads=2, kv_heads=1, head=16, inner=40, vocabulary=64, eps=1e-5)
    memory, gate, up = AdapterMemory(shape, 2, 4), TARGETS.index("mlp.gate_proj"), TARGETS.index("mlp.up_proj")
    pair = lambda: (rng.standard_normal((4, 32)).astype(np.float32), rng.standard_normal((40, 4)).astype(np.float32))  # noqa: E731
    memory.write(1, PackedLora(((0, up, *pair()),)))
    memory.write(2, PackedLora(((0, gate, *pair()), (0, up, *pair()))))
    linear = LinearBytes(torch.randn(80, 32), Room(packed_bytes(32, 80)))
    x = (rng.random((tokens, 32)) * 2 - 1).astype(np.float32)
    scale, bias = rng.uniform(1, 2, tokens).astype(np.float32), rng.standard_normal(80).astype(np.float32)
    slot = np.sort(rng.integers(0, 3, tokens)).astype(np.int32)
    rest = (np.array([gate, up]), np.array([0, 40, 80]))

    def at_once(rows: slice) -> np.ndarray:
        more = np.full((len(slot[rows]), 100), np.nan, np.float32)
        adapters = (memory.arena, memory.offset[:, 0], memory.rank[:, 0], slot[rows], *rest)
        return linear.adapted(x[rows].copy(), scale[rows], bias, more, *adapters)

    found = at_once(slice(None))
    after = linear(torch.from_numpy(x)).numpy()
    adapt(x, scale, after, bias, memory.arena, memory.offset[:, 0], memory.rank[:, 0], slot, *rest)
    np.testing.assert_allclose(found, after, rtol=1e-4, atol=1e-4)
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


@pytest.mark.parametrize("half", [False, True])
def test_adapters_act_as_what_they_are_held_as(half):
    """Beside a base in 8 bits the nearest bfloat16, not the bits that happen to be the upper half."""
    rng = np.random.default_rng(0)
    shape = DecoderShape(layers=1, width=32, heads=4, kv_heads=2, head=8, inner=48, vocabulary=64, eps=1e-5)
    memory = AdapterMemory(shape, 2, 4, half=half)
    target = TARGETS.index("mlp.up_proj")
    a, b = (rng.standard_normal(size).astype(np.float32) for size in ((4, 32), (48, 4)))
    memory.write(2, PackedLora(((0, target, a, b),)))
    x = rng.standard_normal((3, 32)).astype(np.float32)
    y, ones = np.ones((3, 48), np.float32), np.ones(3, np.float32)
    slot = np.array([2, 0, 1], np.int32)
    places = np.array([target]), np.array([0, 48])
    adapt(x, ones, y, np.empty(0, np.float32), memory.arena, memory.offset[:, 0], memory.rank[:, 0], slot, *places)
    held_a, held_b = (torch.from_numpy(m).bfloat16().float().numpy() if half else m for m in (a, b))
    np.testing.assert_allclose(y[0], 1 + held_b @ (held_a @ x[0]), rtol=2e-5)
    assert (y[1:] == 1).all(), "the base, and a slot that nobody was written into"
    assert memory.arena.nbytes == 3 * (4 * sum(map(sum, shape.sizes))) * (2 if half else 4)
