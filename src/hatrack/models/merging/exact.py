"""Weighted sums: of the updates themselves, exactly or cut to a rank, and of their factors."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from peft.utils.merge_utils import task_arithmetic

from hatrack.core.errors import AdapterMismatch
from hatrack.models.merging.base import Factors, MergedLayer, compressed

__all__ = ["Cat", "Linear", "Svd"]


class Cat:
    """The factors stand side by side: the weighted sum of the updates, exactly, at the sum of the ranks."""

    name = "cat"
    summary = "the weighted sum of the updates, exact; the ranks add up"
    takes_rank = False
    takes_density = False

    def rank(self, ranks: Sequence[int], wanted: int | None) -> int:
        return sum(ranks)

    def layer(self, parts: Sequence[Factors], weights: Sequence[float], rank: int, density: float) -> MergedLayer:
        a = torch.cat([a for a, _ in parts])
        b = torch.cat([b * weight for (_, b), weight in zip(parts, weights, strict=True)], dim=1)
        return MergedLayer((a, b))


class Svd:
    """As ``cat``, then cut to a rank: the best approximation of the sum that this rank allows.

    The sum has a low rank already, so its singular values are those of a small matrix between two orthonormal bases.
    """

    name = "svd"
    summary = "the weighted sum of the updates, cut to a rank"
    takes_rank = True
    takes_density = False

    def rank(self, ranks: Sequence[int], wanted: int | None) -> int:
        return wanted or max(ranks)

    def layer(self, parts: Sequence[Factors], weights: Sequence[float], rank: int, density: float) -> MergedLayer:
        a, b = Cat().layer(parts, weights, rank, density).factors
        left, inner_left = torch.linalg.qr(b)
        right, inner_right = torch.linalg.qr(a.T)
        small = compressed(inner_left @ inner_right.T, rank)
        return MergedLayer((small.factors[0] @ right.T, left @ small.factors[1]), small.kept, small.total)


class Linear:
    """A and B are summed each for itself, as PEFT's ``linear`` does.

    The product of two sums also holds each adapter's B times another's A: it is no sum of updates. It keeps the rank and
    works where the adapters grew from one another.
    """

    name = "linear"
    summary = "factors summed each for itself; keeps the rank, for adapters that grew from one another"
    takes_rank = False
    takes_density = False

    def rank(self, ranks: Sequence[int], wanted: int | None) -> int:
        if len(set(ranks)) > 1:
            raise AdapterMismatch(
                "linear adds matrices of one size",
                given="ranks " + ", ".join(str(rank) for rank in ranks),
                allowed="adapters of equal rank",
                fix="use --method cat or svd",
            )
        return ranks[0]

    def layer(self, parts: Sequence[Factors], weights: Sequence[float], rank: int, density: float) -> MergedLayer:
        # a weight is split over both factors; its sign belongs to one of them
        roots = torch.tensor([math.sqrt(abs(weight)) for weight in weights])
        signed = torch.tensor([math.copysign(math.sqrt(abs(weight)), weight) for weight in weights])
        return MergedLayer((task_arithmetic([a for a, _ in parts], signed), task_arithmetic([b for _, b in parts], roots)))
