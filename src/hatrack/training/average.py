"""A moving average of the trained weights: it is what is validated and kept, while training goes on with the newest ones.

Late weights jump around a point that their mean is closer to; averaging them over the last steps generalises better at no
cost in steps (Polyak & Juditsky 1992; Izmailov et al. 2018, https://arxiv.org/abs/1803.05407).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import TrainerCallback

from hatrack.training.engines import divide_again
from hatrack.training.weights import take_over, trained, whole

__all__ = ["MovingAverage"]

_STATE = "averaged.safetensors"


class MovingAverage(TrainerCallback):
    """``a ← d a + (1 − d) w`` after every optimizer step; with a decay of 0 there is none, and all of this does nothing.

    In step t, ``d = min(decay, (1 + t) / (10 + t))``: while there are few weights to average, the first ones soon count little.
    """

    def __init__(self, decay: float) -> None:
        self._decay = decay
        self._average: dict[str, torch.Tensor] = {}

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if not self._average:  # else it was resumed
            self._start(kwargs["model"])

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        decay = min(self._decay, (1 + state.global_step) / (10 + state.global_step))
        with torch.no_grad():
            for tensor, weight in self._pairs(kwargs["model"]):
                tensor.lerp_(weight, 1 - decay)

    @contextlib.contextmanager
    def in_use(self, model: nn.Module) -> Iterator[None]:
        """In this block ``model`` has the averaged weights."""
        self._exchange(model)
        try:
            yield
        finally:
            self._exchange(model)

    def write(self, folder: Path, *, write: bool) -> None:
        """Beside the trained weights of a checkpoint; of several processes all must call this, and one writes."""
        state = whole(self._average.items())
        if state and write:
            save_file(state, folder / _STATE)

    def resume(self, model: nn.Module, folder: Path) -> None:
        """Go on from the average in a checkpoint."""
        self._start(model)
        if self._average:
            take_over(self._average.items(), load_file(folder / _STATE))

    def give(self, model: nn.Module, folder: Path) -> None:
        """Give ``model`` the averaged weights of a checkpoint, for good."""
        if self._decay:
            take_over(trained(model), load_file(folder / _STATE))

    def _start(self, model: nn.Module) -> None:
        divide_again(model)
        if self._decay:
            self._average = {name: parameter.detach().clone() for name, parameter in trained(model)}

    def _pairs(self, model: nn.Module) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        divide_again(model)  # whole ones would be other tensors than those that are averaged
        weights = dict(trained(model)) if self._average else {}
        for name, tensor in self._average.items():
            yield tensor, weights[name]

    def _exchange(self, model: nn.Module) -> None:
        with torch.no_grad():
            for tensor, weight in self._pairs(model):
                newest = weight.clone()  # one at a time: two whole sets would count in the peak of memory
                weight.copy_(tensor)
                tensor.copy_(newest)
