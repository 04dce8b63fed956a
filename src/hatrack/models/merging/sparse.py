"""Mergers that drop entries before they add, so that adapters disturb each other less. The arithmetic is PEFT's.

They work on whole updates, as published, not on the factors; the result is then cut to a rank.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence

import torch
from peft.utils.merge_utils import dare_linear, dare_ties, ties

from hatrack.models.merging.base import Factors, MergedLayer, compressed

__all__ = ["DareLinear", "DareTies", "Ties"]

Arithmetic = Callable[[list[torch.Tensor], torch.Tensor, float], torch.Tensor]


class _Sparse:
    takes_rank = True
    takes_density = True
    _arithmetic: Arithmetic

    def rank(self, ranks: Sequence[int], wanted: int | None) -> int:
        return wanted or sum(ranks)  # dropping entries raises the rank: the largest of the parents' would lose much

    def layer(self, parts: Sequence[Factors], weights: Sequence[float], rank: int, density: float) -> MergedLayer:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="The density")  # 1 is allowed here: it keeps everything
            update = type(self)._arithmetic([b @ a for a, b in parts], torch.tensor(list(weights)), density)
        return compressed(update, rank)


class Ties(_Sparse):
    """Keep the largest entries, elect a sign for each, average those that agree (Yadav et al. 2023, arXiv 2306.01708)."""

    name = "ties"
    summary = "keeps the largest entries, elects a sign, averages those that agree"
    _arithmetic = staticmethod(ties)


class DareLinear(_Sparse):
    """Drop entries at random, scale up the rest, add (Yu et al. 2023, arXiv 2311.03099)."""

    name = "dare-linear"
    summary = "drops entries at random, scales up the rest, adds"
    _arithmetic = staticmethod(dare_linear)


class DareTies(_Sparse):
    """Drop entries at random, scale up the rest, then elect signs as ``ties`` does."""

    name = "dare-ties"
    summary = "drops entries at random, then elects signs as ties does"
    _arithmetic = staticmethod(dare_ties)
