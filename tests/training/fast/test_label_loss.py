"""The loss over a vocabulary, a part at a time: the plain cross-entropy and its gradient."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from hatrack.training.fast import label_loss as module
from hatrack.training.fast.label_loss import label_loss
from hatrack.training.fast.products import available, by_onednn

PRODUCTS = [nn.functional.linear, *([by_onednn] if available() else [])]


def both(hidden, weight, labels, product):
    """Loss and gradient, the plain way and in parts."""
    found = []
    for way in (
        lambda x: nn.functional.cross_entropy(x @ weight.t(), labels, reduction="sum"),
        lambda x: label_loss(x, weight, labels, product),
    ):
        x = hidden.clone().requires_grad_()
        loss = way(x) * 0.5
        loss.backward()
        found.append((loss.item(), x.grad))
    return found


@pytest.mark.parametrize("product", PRODUCTS)
@pytest.mark.parametrize("rows", [1, 8, 37, 200])
def test_loss_and_gradient_are_the_plain_ones(monkeypatch, rows, product):
    monkeypatch.setattr(module, "_PART", 64 * 100)  # 100 words at a time, and 23 at the end
    torch.manual_seed(rows)
    (plain, gradient), (loss, other) = both(torch.randn(rows, 64), torch.randn(1023, 64), torch.randint(0, 1023, (rows,)), product)
    assert loss == pytest.approx(plain, rel=1e-5)
    assert (other - gradient).norm() <= 1e-5 * gradient.norm()


def test_logits_too_large_for_an_exponential_are_no_trouble(monkeypatch):
    monkeypatch.setattr(module, "_PART", 4 * 8)
    torch.manual_seed(0)
    weight = torch.randn(40, 4) * torch.linspace(1, 300, 40)[:, None]  # each part has higher ones than that before
    (plain, gradient), (loss, other) = both(torch.randn(5, 4) * 10, weight, torch.tensor([0, 39, 7, 8, 20]), nn.functional.linear)
    assert plain > 1000
    assert loss == pytest.approx(plain, rel=1e-5)
    assert torch.allclose(other, gradient, rtol=1e-4, atol=1e-3)


def test_a_validation_takes_no_gradient():
    hidden, weight, labels = torch.randn(3, 8), torch.randn(20, 8), torch.tensor([1, 2, 3])
    calls = []

    def product(x, w, bias):
        calls.append(w.shape)
        return nn.functional.linear(x, w, bias)

    with torch.no_grad():
        label_loss(hidden, weight, labels, product)
    assert calls == [(20, 8)]
