"""Cross-entropy over a large vocabulary in one pass over the output head, without ever holding the logits.

The head of a small model is its largest matrix by far, and a few labels are multiplied with it twice: for the logits, and
for their gradient. Here it is taken part by part, and while a part is in the cache both are done. The softmax's sum and
the gradient's sum are kept relative to the highest logit so far, and shrink when a higher one comes. (The online softmax
of Milakov and Gimelshein, arXiv:1805.02867; Cut Cross-Entropy, arXiv:2411.09009, has the same aim by other means.)
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from hatrack.training.fast.products import MULTIPLE, Product

__all__ = ["label_loss"]

_PART = 2 * 2**20  # numbers of the head in one part: 8 MB


def label_loss(hidden: torch.Tensor, weight: torch.Tensor, labels: torch.Tensor, product: Product) -> torch.Tensor:
    """The sum of ``-log softmax(hidden weightᵀ)[labels]``; the gradient is that of ``hidden`` alone.

    Args:
        hidden: ``[rows, d]``.
        weight: the frozen head, ``[vocabulary, d]``.
        labels: ``[rows]``.
        product: what computes ``x Wᵀ + bias``.
    """
    loss: torch.Tensor = _LabelLoss.apply(hidden, weight, labels, product)  # type: ignore[no-untyped-call]  # untyped in torch
    return loss


class _LabelLoss(torch.autograd.Function):
    """The gradient is finished on the way forwards: what the labels expect of ``hidden``, less what stands at them."""

    @staticmethod
    def forward(ctx: Any, hidden: torch.Tensor, weight: torch.Tensor, labels: torch.Tensor, product: Product) -> torch.Tensor:
        rows, d = hidden.shape
        x = nn.functional.pad(hidden, (0, 0, 0, -rows % MULTIPLE))
        top = x.new_full((len(x), 1), -torch.inf)
        total, expected = torch.zeros_like(top), torch.zeros_like(x)
        for part in torch.split(weight, max(1, _PART // d)):
            scores = product(x, part, None)
            higher = torch.maximum(top, scores.amax(1, keepdim=True))
            shrink = (top - higher).exp_()
            shares = scores.sub_(higher).exp_()
            total.mul_(shrink).add_(shares.sum(1, keepdim=True))
            if ctx.needs_input_grad[0]:
                expected.mul_(shrink).add_(product(shares, part.t(), None))
            top = higher
        at_labels = weight.index_select(0, labels)
        if ctx.needs_input_grad[0]:
            ctx.save_for_backward(expected.div_(total)[:rows] - at_labels)
        return ((top + total.log())[:rows, 0] - (hidden * at_labels).sum(1)).sum()

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> tuple[Any, ...]:
        [of_hidden] = ctx.saved_tensors
        return of_hidden * gradients[0], None, None, None
