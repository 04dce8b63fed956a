"""An answer from documents on the screen: the text, its sources, and what the check of its citations found."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console

if TYPE_CHECKING:
    from hatrack.answering.grounding import Grounded

__all__ = ["show_grounded"]


def show_grounded(console: Console, grounded: Grounded, answer: str) -> None:
    """The answer first; sources that carry a sentence are bold."""
    console.print(answer)
    if grounded.answer is not None:
        return
    checked = grounded.check(answer)
    console.print()
    for number, one in enumerate(grounded.passages, 1):
        style = "bold" if number in checked.cited else "dim"
        console.print(f"[{number}] {one.source}  {one.title}  (similarity {one.similarity:.2f})", style=style)
    if checked.missing:
        console.print(f"cited and not there: {', '.join(f'[{number}]' for number in checked.missing)}", style="red")
    for sentence in checked.unsupported:
        console.print(f"no source supports: {sentence}", style="yellow")
