"""What a person sees while data is prepared: the step, how far it is, and the time left."""

from __future__ import annotations

from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

__all__ = ["StepBar"]


class StepBar:
    """A bar for each step that takes long enough to report; nothing where the screen cannot redraw.

    Args:
        title: stands before each step, the adapter's name.
    """

    def __init__(self, title: str, console: Console) -> None:
        self._title = title
        self._bars: dict[str, TaskID] = {}
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )

    def __enter__(self) -> StepBar:
        self._progress.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._progress.stop()

    def update(self, step: str, done: int, total: int | None) -> None:
        """Rows done so far in ``step``."""
        if step not in self._bars:
            self._bars[step] = self._progress.add_task(f"{self._title}: {step}", total=total)
        self._progress.update(self._bars[step], completed=done, total=total)
