"""Mergers: how the updates of several adapters become one update, layer by layer.

An update is B A, the scaling already in B, so that alpha, rank and rank-stabilised scaling need no care here (F21).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch

from hatrack.core.plugins import Plugins

__all__ = ["MERGERS", "Factors", "MergedLayer", "Merger", "compressed"]

Factors = tuple[torch.Tensor, torch.Tensor]
"""``A [r, d_in]`` and ``B [d_out, r]``; the update is ``B A``."""


@dataclass(frozen=True)
class MergedLayer:
    """One layer of the result.

    Attributes:
        kept, total: squared Frobenius norm of the update as it is written, and before it was cut to its rank.
    """

    factors: Factors
    kept: float = 1.0
    total: float = 1.0


class Merger(Protocol):
    """One way of merging."""

    name: str
    summary: str
    takes_rank: bool  # the rank of the result can be chosen
    takes_density: bool  # it keeps a share of each update's entries

    def rank(self, ranks: Sequence[int], wanted: int | None) -> int:
        """The rank of the result.

        Raises:
            AdapterMismatch: adapters of these ranks cannot be merged so.
        """
        ...

    def layer(self, parts: Sequence[Factors], weights: Sequence[float], rank: int, density: float) -> MergedLayer:
        """Merge one layer. ``parts`` are those adapters that touch it, ``weights`` their weights.

        A density of 1 keeps every entry: then one adapter with weight 1 comes out as it went in.
        """
        ...


MERGERS: Plugins[type[Merger]] = Plugins(
    "merger",
    {
        "cat": "hatrack.models.merging.exact:Cat",
        "svd": "hatrack.models.merging.exact:Svd",
        "linear": "hatrack.models.merging.exact:Linear",
        "ties": "hatrack.models.merging.sparse:Ties",
        "dare-linear": "hatrack.models.merging.sparse:DareLinear",
        "dare-ties": "hatrack.models.merging.sparse:DareTies",
    },
)


def compressed(update: torch.Tensor, rank: int) -> MergedLayer:
    """The best approximation of ``update [d_out, d_in]`` at ``rank`` (Eckart & Young 1936), its norm split over both factors."""
    u, s, v = torch.linalg.svd(update, full_matrices=False)
    root = s[:rank].sqrt()
    energy = s.double().square()
    return MergedLayer((root[:, None] * v[:rank], u[:, :rank] * root), float(energy[:rank].sum()), float(energy.sum()))
