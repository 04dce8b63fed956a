"""A run that is asked to end (SIGTERM) finishes its step, writes a checkpoint, and ends as one that was interrupted."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Iterator
from types import FrameType
from typing import Any

from transformers import TrainerCallback

from hatrack.training.processes import Processes, processes

__all__ = ["StopAfterStep"]

_ECHO = 2.0  # seconds: to several processes a signal often comes twice, from the system and from their launcher


class StopAfterStep(TrainerCallback):
    """Schedulers and container runtimes send SIGTERM, wait a while, and then kill.

    Outside of the steps (while a base is loaded, while frozen blocks are computed), and when it is sent again, the
    signal ends the run at once; nothing is lost then that a checkpoint could hold. Of several processes all end after the
    same step, whichever was sent the signal.
    """

    def __init__(self, team: Processes | None = None) -> None:
        self._team = team or processes()
        self._asked_at: float | None = None
        self._ending = False
        self._in_steps = False

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """Handle SIGTERM in this block; signals reach the main thread only, elsewhere nothing changes.

        Raises:
            KeyboardInterrupt: the signal came; a checkpoint is written if there was a step to keep.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = signal.signal(signal.SIGTERM, self._handle)
        try:
            yield
        finally:
            signal.signal(signal.SIGTERM, before)

    def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self._in_steps = True

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self._ending = self._team.any(self._asked_at is not None)
        control.should_save = control.should_save or self._ending

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if self._ending:
            raise KeyboardInterrupt("SIGTERM")  # the checkpoint is whole: it is sealed before callbacks hear of it

    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self._in_steps = False

    def _handle(self, number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        if self._asked_at is not None and self._team.size > 1 and now - self._asked_at < _ECHO:
            return
        if self._asked_at is not None or not self._in_steps:
            raise KeyboardInterrupt("SIGTERM")
        self._asked_at = now
