"""What holds the base's linear layers: each precision against the exact product."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from hatrack.serving.decoder.linear import make_linear
from hatrack.serving.decoder.shape import TARGETS, DecoderShape
from hatrack.serving.kernels.adapters import adapt
from hatrack.serving.slots import AdapterMemory, PackedLora


@pytest.mark.parametrize(("precision", "largest"), [("fp32", 1e-6), ("bf16", 1e-2), ("int8", 3e-2)])
def test_the_product_is_right_up_to_what_the_precision_rounds_off(precision, largest):
    torch.manual_seed(0)
    weight, x = torch.randn(48, 64), torch.randn(5, 64)
    x /= x.abs().amax(1, keepdim=True)  # as 8 bits want it
    exact = (x.double() @ weight.double().T).float()
    linear = make_linear(weight, precision)
    found = linear(x)
    assert found.dtype == torch.float32
    error = ((found - exact).norm() / exact.norm()).item()
    assert error < largest
    if precision != "fp32":
        assert error > 1e-4, "it does hold the weights in fewer bits"


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
