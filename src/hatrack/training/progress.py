"""What a person sees while training runs: one live line with loss, speed and time left, and events kept as data."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from transformers import TrainerCallback

from hatrack.core.run_folder import EVENTS

__all__ = ["EventLog", "LiveBar"]

_FIGURES = ("loss", "eval_loss", "learning_rate", "grad_norm", "tokens_per_second", "seconds_left")
_SHOWN = {"loss": "{:.3f}", "eval_loss": "{:.3f}", "learning_rate": "{:.2g}", "grad_norm": "{:.2g}", "tokens_per_second": "{:,.0f}"}


class LiveBar(TrainerCallback):
    """A progress bar with loss and ETA; on a screen that cannot redraw, one line for each validation."""

    def __init__(self, title: str, console: Console) -> None:
        self._title = title
        self._console = console
        self._bar: Progress | None = None
        self._task = TaskID(0)
        self._shown: dict[str, Any] = dict.fromkeys(_SHOWN, "-")

    def before(self, done: int, total: int) -> None:
        """Rows done of the pass through frozen blocks, before the first step."""
        if self._bar is None:
            self._bar = Progress(
                TextColumn("{task.description}", markup=False),
                BarColumn(bar_width=24),
                MofNCompleteColumn(),
                TextColumn("rows through the frozen blocks, left"),
                TimeRemainingColumn(),
                console=self._console,
                disable=not self._console.is_terminal,
                transient=True,
            )
            self._bar.start()
            self._task = self._bar.add_task(self._title, total=total)
        self._bar.advance(self._task, done)
        if self._bar.finished:
            self.close()

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self._bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("loss {task.fields[loss]}  validation {task.fields[eval_loss]}"),
            TextColumn("rate {task.fields[learning_rate]}  gradient {task.fields[grad_norm]}  {task.fields[tokens_per_second]} tokens/s"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        self._bar.start()
        self._task = self._bar.add_task(self._title, total=state.max_steps, completed=state.global_step, **self._shown)

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if self._bar is not None:
            self._bar.update(self._task, completed=state.global_step)

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, float] | None = None, **kwargs: Any) -> None:
        for key, form in _SHOWN.items():
            if logs and key in logs:
                self._shown[key] = form.format(logs[key])
        if self._bar is not None:
            self._bar.update(self._task, **self._shown)
        if logs and "eval_loss" in logs and not self._console.is_terminal:
            line = f"{self._title}: step {state.global_step} of {state.max_steps}, loss {self._shown['loss']}"
            self._console.print(f"{line}, validation {self._shown['eval_loss']}, {self._shown['tokens_per_second']} tokens/s")

    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.close()

    def close(self) -> None:
        """Give the screen back, also after an error."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


class EventLog(TrainerCallback):
    """Every logged figure as one JSON line, so that a page or a plot can follow a run."""

    def __init__(self, run: Path) -> None:
        self._path = run / EVENTS
        self._start = time.monotonic()

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, float] | None = None, **kwargs: Any) -> None:
        kept = {key: value for key, value in (logs or {}).items() if key in _FIGURES}
        if kept:
            event = {
                "step": state.global_step,
                "epoch": round(state.epoch or 0.0, 4),
                "seconds": round(time.monotonic() - self._start, 2),
                **kept,
            }
            with self._path.open("a", encoding="utf-8") as stream:
                stream.write(json.dumps(event) + "\n")
