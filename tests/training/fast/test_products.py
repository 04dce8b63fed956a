"""Products by oneDNN are those of torch, for any number of rows."""

from __future__ import annotations

import pytest
import torch

from hatrack.training.fast.products import available, by_onednn

pytestmark = pytest.mark.skipif(not available(), reason="this torch has no oneDNN")


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("biased", [False, True])
@pytest.mark.parametrize("shape", [(300, 40), (40, 300), (64, 64)])
@pytest.mark.parametrize("rows", [1, 8, 13, 127, 130])
def test_a_product_is_that_of_torch(rows, shape, biased, transposed):
    torch.manual_seed(0)
    weight = torch.randn(shape[::-1]).t() if transposed else torch.randn(shape)
    x, bias = torch.randn(rows, shape[1]), torch.randn(shape[0]) if biased else None
    out = by_onednn(x, weight, bias)
    assert out.shape == (rows, shape[0])
    assert torch.allclose(out, torch.nn.functional.linear(x, weight, bias), rtol=1e-4, atol=1e-4)


def test_few_rows_are_compiled_for_a_multiple_of_them(monkeypatch):
    padded = []
    plain = torch.nn.functional.pad
    monkeypatch.setattr(torch.nn.functional, "pad", lambda x, by: (padded.append(len(x) + by[-1]), plain(x, by))[1])
    for rows in (1, 7, 8, 9, 127, 128, 129):
        by_onednn(torch.randn(rows, 16), torch.randn(16, 16))
    assert padded == [8, 8, 16, 128]
