"""What came of each trial, on disk: a finished one is never repeated, whatever happened to the process.

    .hatrack/runs/legal#sweep/
      trials/3f9c...json      one finished training: score, loss, seconds, or why it failed
      trials/3f9c...begun     how often that training was begun and neither finished nor was stopped in order
      log.txt                 what the trainings said
      sweep.png               scores over parameters and learning rates

A record is named by all that decides its outcome (base, data, settings, epochs), so another sweep over the same data
finds it too.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path

from pydantic import ValidationError

from hatrack.core.atomic import write_text
from hatrack.core.strict import Strict

__all__ = ["Outcome", "Records"]

_BEGUN = 3  # the system kills what takes too much memory without a word; it is not asked a fourth time


class Outcome(Strict):
    """One training of a trial.

    Attributes:
        epochs: how long it was meant to train.
        score: on the validation rows; None if it failed.
        loss: the best validation loss, in nats.
        seconds: training and scoring.
        failed: why it failed; empty if it did not.
    """

    epochs: float
    score: float | None = None
    loss: float | None = None
    seconds: float = 0.0
    failed: str = ""


class Records:
    """The finished trainings in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def find(self, key: str) -> Outcome | None:
        """The outcome of the training ``key``, if it is finished; one that cannot be read counts as not there."""
        try:
            return Outcome.model_validate_json((self._folder / f"{key}.json").read_text(encoding="utf-8"))
        except (OSError, ValidationError):
            return None

    def keep(self, key: str, outcome: Outcome) -> Outcome:
        """Write the outcome of a finished training.

        Raises:
            StorageError: it cannot be written.
        """
        write_text(self._folder / f"{key}.json", outcome.model_dump_json(indent=1))
        (self._folder / f"{key}.begun").unlink(missing_ok=True)
        return outcome

    def gave_up(self, key: str) -> bool:
        """Whether the process ended in this training too often to try again."""
        return self._begun(key) >= _BEGUN

    @contextlib.contextmanager
    def attempt(self, key: str) -> Iterator[None]:
        """Count an attempt; one that ends with an exception, also with Ctrl-C, does not count.

        Raises:
            StorageError: it cannot be written.
        """
        before = self._begun(key)
        path = self._folder / f"{key}.begun"
        write_text(path, json.dumps(before + 1))
        try:
            yield
        except BaseException:
            write_text(path, json.dumps(before))
            raise

    def _begun(self, key: str) -> int:
        try:
            return int(json.loads((self._folder / f"{key}.begun").read_text(encoding="utf-8")))
        except (OSError, ValueError):
            return 0
