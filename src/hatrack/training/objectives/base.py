"""Objectives: what a task trains on and how wrong it is. The loop knows nothing of tasks, only of these."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

import torch
from torch import nn

from hatrack.core.config import AdapterConfig
from hatrack.core.plugins import Plugins
from hatrack.data.prepare import Prepared
from hatrack.models.loading import BaseModelFiles, Kind

if TYPE_CHECKING:
    from hatrack.training.fast.forward import FastForward

__all__ = ["IGNORED", "OBJECTIVES", "Collate", "Item", "Objective", "Trainee"]

IGNORED = -100  # a label that carries no loss


@dataclass(frozen=True)
class Item:
    """One row ready for the loop.

    Attributes:
        row: its number in the data file, for messages.
        ids: input tokens.
        labels: one for each token (IGNORED where none), or the class alone.
    """

    row: int
    ids: tuple[int, ...]
    labels: tuple[int, ...]

    @property
    def counted(self) -> int:
        """How many labels carry loss."""
        return sum(label != IGNORED for label in self.labels)

    @property
    def sequences(self) -> tuple[tuple[int, ...], ...]:
        """Everything that the model reads for this row."""
        return (self.ids,)


Collate = Callable[[Sequence[Item]], dict[str, torch.Tensor]]


class Trainee(nn.Module):
    """What the loop trains: the adapted base and whatever stands on it.

    Attributes:
        packs: how its model attends, if ``loss_sum`` runs it through ``fast``; empty if it never does.
        fast: the accelerations that were found exact for this run.
    """

    packs: Literal["", "causal", "bidirectional"] = ""
    fast: FastForward | None = None

    def loss_sum(self, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        """Sum, not mean, of the loss over all labels in the batch; the loop divides (F13)."""
        raise NotImplementedError  # abstract; torch modules cannot be Protocols

    def vocabulary_head(self) -> nn.Linear | None:
        """The frozen output head, where ``loss_sum`` is the cross-entropy of its outputs and can do it in parts."""
        return None

    def begin(self, items: Sequence[Item]) -> list[Item]:
        """The rows with what is computed of them once, before the first step; most tasks need nothing."""
        return list(items)

    def forward(self, **batch: torch.Tensor) -> torch.Tensor:
        """As ``loss_sum``: accelerate wraps the forward method."""
        return self.loss_sum(batch)


class Objective(Protocol):
    """One task, for one kind of base."""

    kind: Kind
    rate_scale: float  # times the method's own learning rate, where the config names none

    def items(self, prepared: Prepared, config: AdapterConfig, files: BaseModelFiles) -> tuple[list[Item], list[Item]]:
        """Training and validation rows.

        Raises:
            DataError: rows that would train nothing, or something else than asked (F01 to F08).
        """
        ...

    def trainee(self, base: nn.Module, adapted: nn.Module, prepared: Prepared, config: AdapterConfig, train: Sequence[Item]) -> Trainee:
        """The module to train. ``base`` is the adapted model without PEFT's wrapping."""
        ...

    def collate(self, items: Sequence[Item], pad_id: int) -> dict[str, torch.Tensor]:
        """A batch: ``input_ids``, ``attention_mask``, ``labels``, ``rows``, and what the trainee needs beside them."""
        ...


OBJECTIVES: Plugins[type[Objective]] = Plugins(
    "objective",
    {
        "instruct": "hatrack.training.objectives.causal:Instruct",
        "classify-by-text": "hatrack.training.objectives.causal:ClassifyByText",
        "classify": "hatrack.training.objectives.classify:Classify",
        "complete": "hatrack.training.objectives.complete:Complete",
        "prefer": "hatrack.training.objectives.prefer.objective:Prefer",
    },
)
