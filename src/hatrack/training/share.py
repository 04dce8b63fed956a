"""What one of several processes does of each optimizer step. Which rows a step trains on does not depend on their number.

batch_size: 4, accumulation: 2, two processes

a step    r0 r1 r2 r3 │ r4 r5 r6 r7
process   0             1
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from hatrack.core.config import AdapterConfig
from hatrack.core.config_train import TrainSettings
from hatrack.core.errors import TrainingError
from hatrack.training.processes import Processes

__all__ = ["Share", "check_share"]

T = TypeVar("T")


@dataclass(frozen=True)
class Share:
    """One process's part of every step.

    Attributes:
        rows: rows in one of its forward passes.
        passes: its forward passes for one step.
        rank: which process.
        size: of how many.
    """

    rows: int
    passes: int
    rank: int = 0
    size: int = 1

    @classmethod
    def of(cls, settings: TrainSettings, team: Processes) -> Share:
        """Processes first take over whole forward passes, then divide the rows of one.

        Raises:
            TrainingError: the rows of a step cannot be divided evenly.
        """
        side_by_side = math.gcd(settings.accumulation, team.size)
        divided = team.size // side_by_side
        if settings.batch_size % divided:
            raise TrainingError(
                f"the rows of a step cannot be divided evenly between {team.size} processes",
                given=f"train.batch_size: {settings.batch_size}, train.accumulation: {settings.accumulation}",
                allowed=f"{', '.join(map(str, _numbers(settings)))} processes",
                fix=f"start so many, or make train.batch_size a multiple of {divided}",
            )
        return cls(settings.batch_size // divided, settings.accumulation // side_by_side, team.rank, team.size)

    @property
    def step(self) -> int:
        """Rows of one step, of all processes together."""
        return self.rows * self.passes * self.size

    def __str__(self) -> str:
        passes = f" in {self.passes} passes" if self.passes > 1 else ""
        return f"each with {self.rows * self.passes} of the {self.step} rows of a step{passes}"

    def deal(self, batches: Sequence[list[T]]) -> list[list[T]]:
        """This process's batches of ``batches``. All get equally many; where there are too few, the last is empty."""
        each = math.ceil(len(batches) / self.size)
        own = list(batches[self.rank :: self.size])
        return own + [[] for _ in range(each - len(own))]

    def cut(self, rows: Sequence[T]) -> list[list[T]]:
        """Batches of this process for ``rows`` in the order of training, step by step."""
        own: list[list[T]] = []
        for start in range(0, len(rows), self.step):
            step = rows[start : start + self.step]
            own += self.deal([list(step[i : i + self.rows]) for i in range(0, len(step), self.rows)])
        return own


def check_share(config: AdapterConfig, team: Processes) -> None:
    """Refuse what several processes would train otherwise than one.

    Raises:
        TrainingError: kto, or a step that cannot be divided evenly.
    """
    if team.size > 1 and config.task == "prefer" and config.preference.loss == "kto":
        raise TrainingError(
            "kto takes its reference point from the rows of one forward pass; several processes would change the loss",
            given=f"{team.size} processes",
            allowed="1",
            fix="train in one process, or choose preference.loss: dpo",
        )
    Share.of(config.train, team)


def _numbers(settings: TrainSettings) -> list[int]:
    """How many processes can share a step."""
    most = settings.batch_size * settings.accumulation
    return [n for n in range(1, most + 1) if settings.batch_size % (n // math.gcd(settings.accumulation, n)) == 0]
