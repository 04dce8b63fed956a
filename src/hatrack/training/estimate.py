"""Memory and time of a run, measured on its own largest batch before it starts (F16).

Nothing is guessed from the number of parameters: forward and backward are run, from one row upwards, and a batch is
only tried when the ones before say that it will fit. What would not fit is refused, with the setting that would.
"""

from __future__ import annotations

import gc
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from hatrack.core.config_train import TrainSettings
from hatrack.core.errors import TrainingError
from hatrack.training.memory import available_memory, forget_peak, peak_memory, used_memory
from hatrack.training.objectives.base import Collate, Item, Trainee
from hatrack.training.processes import processes
from hatrack.training.share import Share

__all__ = ["Estimate", "duration", "estimate", "step_counts"]

_GROWTH = 4  # each trial has so many times the rows of the one before
_SPARE = 0.95  # of what is free: the system and the libraries move too
_FORWARD = 1 / 3  # of a step's time: validation goes forward only


@dataclass(frozen=True)
class Estimate:
    """What a run will take.

    Attributes:
        peak: largest resident memory of the process, in bytes.
        free: what it may take, in bytes.
        step: seconds of a typical optimizer step.
        seconds: the whole run, if it does not stop early.
    """

    peak: float
    free: float
    step: float
    steps: int
    seconds: float

    def __str__(self) -> str:
        memory = f"about {self.peak / 1e9:.1f} GB of memory at most, of {self.free / 1e9:.1f}"
        return f"{memory}; about {duration(self.seconds)} at most, {self.steps:,} steps of {self.step:.2g} s"


def step_counts(settings: TrainSettings, rows: int) -> tuple[int, int]:
    """Optimizer steps in one epoch and in the whole run."""
    epoch = math.ceil(math.ceil(rows / settings.batch_size) / settings.accumulation)
    return epoch, math.ceil(epoch * settings.epochs)


def estimate(trainee: Trainee, train: Sequence[Item], validation: Sequence[Item], collate: Collate, settings: TrainSettings) -> Estimate:
    """Run a step on the longest rows and one on rows of middle length; nothing of the run changes by it.

    Of several processes each runs its own share, and those of one machine divide its memory.

    Raises:
        TrainingError: the largest batch would not fit into memory.
    """
    team = processes()
    share = Share.of(settings, team)
    team.wait()  # else one would measure what the other takes
    dry = _DryRun(trainee, train, collate, settings, share, team.local_size)
    with torch.random.fork_rng():  # the run's own random numbers stay where they are (F11)
        peak = dry.peak()
        first, seconds = dry.seconds(), dry.seconds()  # the second time, what frozen blocks gave is kept
        peak = max(peak, dry.peak_again())
    epoch, total = step_counts(settings, len(train))
    step = seconds * share.passes
    batches = math.ceil(len(validation) / (2 * share.rows * share.size))
    validations = math.ceil(settings.epochs * min(settings.evals_per_epoch, epoch))
    whole = total * step + min(epoch, total) * max(0.0, first - seconds) * settings.accumulation
    whole += validations * batches * 2 * seconds * _FORWARD
    return Estimate(peak, dry.limit, step, total, whole)


class _DryRun:
    """Forward and backward on chosen rows, and what they take."""

    def __init__(
        self, trainee: Trainee, train: Sequence[Item], collate: Collate, settings: TrainSettings, share: Share, local_size: int
    ) -> None:
        self._trainee = trainee
        self._collate = collate
        self._settings = settings
        self._share = share
        self._rows = sorted(train, key=lambda item: -len(item.ids))
        # AdamW keeps two numbers for each trained one, an average one; gradients are measured
        self._state = (2 + (settings.ema > 0)) * sum(p.numel() * p.element_size() for p in trainee.parameters() if p.requires_grad)
        gc.collect()  # once: a step leaves no circles, and in a process with much in it this takes a second
        forget_peak()
        self._before = used_memory()
        allowed = settings.memory_gb * 1e9 if settings.memory_gb else self._before + available_memory() / local_size * _SPARE
        self.limit = allowed
        self._slope = 0.0  # bytes that one more row adds

    def peak(self) -> float:
        """Of the largest batch, with the optimizer's state."""
        wanted = min(self._share.rows, len(self._rows))
        rows, slope, peak = 1, 0.0, 0.0
        while True:
            forget_peak()
            self._step(self._rows[:rows])
            last, peak = peak, float(peak_memory())
            # at first all that a row added; later what one more row adds
            slope = self._slope = (peak - last) / (rows - rows // _GROWTH) if last else peak - self._before
            if peak + self._state > self.limit:
                raise self._too_large(peak, slope, rows)
            if rows == wanted:
                return peak + self._state
            following = min(rows * _GROWTH, wanted)
            if peak + slope * (following - rows) + self._state > self.limit:
                raise self._too_large(peak, slope, rows)
            rows = following

    def peak_again(self) -> float:
        """Of the largest batch behind smaller ones: what these gave back lies in pieces too small for it."""
        rows = self._rows[: self._share.rows]
        self._step(rows)
        peak = float(peak_memory())
        if peak + self._state > self.limit:
            raise self._too_large(peak, self._slope, len(rows))
        return peak + self._state

    def seconds(self) -> float:
        """Of one batch of typical length."""
        size = min(self._share.rows, len(self._rows))
        mean = sum(len(item.ids) for item in self._rows) / len(self._rows)
        middle = next((i for i, item in enumerate(self._rows) if len(item.ids) <= mean), 0)
        start = max(0, min(middle - size // 2, len(self._rows) - size))
        begin = time.perf_counter()
        self._step(self._rows[start : start + size])
        return time.perf_counter() - begin

    def _step(self, items: Sequence[Item]) -> None:
        batch = self._collate(items)
        batch.pop("rows")
        device = next(self._trainee.parameters()).device
        training = self._trainee.training
        self._trainee.train()
        try:
            loss: Any = self._trainee(**{key: value.to(device) for key, value in batch.items()})
            loss.backward()
        finally:
            self._trainee.zero_grad()
            self._trainee.train(training)

    def _too_large(self, peak: float, slope: float, rows: int) -> TrainingError:
        settings = self._settings
        wanted = min(self._share.rows, len(self._rows))
        need = peak + slope * (wanted - rows) + self._state
        fits = [n for n in range(1, wanted) if peak + slope * (n - rows) + self._state <= self.limit]
        size = max((n for n in fits if wanted % n == 0), default=0)
        longest = len(self._rows[0].ids)
        if size:
            passes = self._share.passes * self._share.size * wanted // size
            fix = f"set train.batch_size: {size} and train.accumulation: {passes}; the loss stays the same"
        else:
            shorter = max(8, longest // 2)
            fix = f"set train.max_length: {shorter}, or adapt fewer blocks (last_layers), or load the base in 4 bits (method: qlora)"
        return TrainingError(
            "training would not fit into memory",
            given=f"about {need / 1e9:.2f} GB for {wanted} rows of up to {longest} tokens",
            allowed=f"{self.limit / 1e9:.2f} GB ({'train.memory_gb' if settings.memory_gb else 'what is free'})",
            fix=fix,
        )


def duration(seconds: float) -> str:
    """Seconds, minutes or hours, for people."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes / 60:.1f} h"
