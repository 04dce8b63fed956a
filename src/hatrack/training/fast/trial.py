"""A few rows on which the fast path is compared with the plain one."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import nn

from hatrack.training.fast.forward import FastForward
from hatrack.training.objectives.base import Collate, Item, Trainee

__all__ = ["REFUSALS", "Trial"]

_LOSS, _GRADIENTS = 1e-4, 1e-3  # largest relative differences that rounding explains, on models of any size
REFUSALS = (RuntimeError, TypeError, ValueError, KeyError, AttributeError, IndexError, AssertionError)  # what code says that does not fit


class Trial:
    """Compares the fast path with the plain one on a few rows, in evaluation mode, and leaves no trace."""

    def __init__(self, trainee: Trainee, fast: FastForward, items: Sequence[Item], collate: Collate) -> None:
        self.trainee = trainee
        self._fast = fast
        self._batch = collate(items)
        self._batch.pop("rows")
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Trial:
        self._training = self.trainee.training
        self.trainee.eval()
        self._stack.enter_context(_awake(self.trainee))
        self.trainee.fast = None
        self._plain = self._loss_and_gradients()
        self.trainee.fast = self._fast
        self._fast.always = True
        return self

    def __exit__(self, *error: Any) -> None:
        self._fast.always = False
        self._stack.close()
        self.trainee.train(self._training)

    def loss(self) -> torch.Tensor:
        return self.trainee.loss_sum(self._batch)

    def loss_in_training(self) -> None:
        """A pass as a step makes it, with dropout."""
        try:
            with torch.random.fork_rng():
                self.trainee.train()
                self.loss()
        finally:
            self.trainee.eval()

    def exact(self) -> bool:
        try:
            loss, gradients = self._loss_and_gradients()
        except REFUSALS:
            return False
        plain_loss, plain = self._plain
        error = sum(float((a - b).square().sum()) for a, b in zip(gradients, plain, strict=True))
        norm = sum(float(b.square().sum()) for b in plain)
        return abs(loss - plain_loss) <= _LOSS * abs(plain_loss) and error <= _GRADIENTS**2 * norm

    def states_below(self, depth: int) -> tuple[int, bool]:
        """How many numbers a state under ``depth`` has, and whether training makes it another one than evaluation."""
        with torch.random.fork_rng():
            still = self._below(depth)
            self.trainee.train()
            moved = self._below(depth)
        self.trainee.eval()
        return still.shape[1], not torch.equal(still, moved)

    def _below(self, depth: int) -> torch.Tensor:
        return self._fast.below(self._batch["input_ids"], self._batch["attention_mask"], 0, depth)[1]

    def _loss_and_gradients(self) -> tuple[float, list[torch.Tensor]]:
        trained = [p for p in self.trainee.parameters() if p.requires_grad]
        try:
            with torch.enable_grad():
                loss = self.loss()
                loss.backward()  # type: ignore[no-untyped-call]  # untyped in torch
            return float(loss.detach()), [torch.zeros_like(p) if p.grad is None else p.grad.clone() for p in trained]
        finally:
            self.trainee.zero_grad()


@contextlib.contextmanager
def _awake(trainee: nn.Module) -> Iterator[None]:
    """Adapters that start as zeros change nothing and pass no gradient on; for the trial they get small numbers."""
    generator = torch.Generator().manual_seed(0)  # of its own: the run's generators stay as they are (F11)
    asleep = [p for p in trainee.parameters() if p.requires_grad and not p.any()]
    with torch.no_grad():
        for parameter in asleep:
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.02)
    try:
        yield
    finally:
        with torch.no_grad():
            for parameter in asleep:
                parameter.zero_()
