"""What is said beside the results: a grey line, printed as it stands."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["aside"]


def aside(console: Console) -> Callable[[str], None]:
    """A function that prints a line in grey; a path or a message with ``[brackets]`` keeps them, they are no markup."""
    return lambda line: console.print(line, style="dim", markup=False, emoji=False)
