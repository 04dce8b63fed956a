"""What holds the base's linear layers: each precision against the exact product."""

from __future__ import annotations

import pytest
import torch

from hatrack.serving.decoder.linear import make_linear


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
