"""What commands share on the screen: the project option, progress on stderr, results on stdout."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hatrack.core.world import world

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["JsonOption", "ProjectOption", "print_json", "progress_console", "result_console"]

_WIDTH = 140  # where there is no screen: wide enough for every table

ProjectOption = Annotated[Path, typer.Option("--project", "-p", help="The project's folder.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


def progress_console() -> Console:
    """Progress, notes and warnings: on stderr, so that results can be piped. Of several processes the main one shows it."""
    return _console(stderr=True)


def result_console() -> Console:
    """Results: on stdout; wide enough for tables where there is no screen. Of several processes the main one prints them."""
    return _console(stderr=False)


def print_json(value: Any) -> None:
    """Print JSON for programs."""
    if world().main:
        typer.echo(json.dumps(value, indent=2, ensure_ascii=False))


def _console(*, stderr: bool) -> Console:
    from rich.console import Console

    quiet = not world().main
    # no markup: a path, a label or a row may hold [brackets], and what is coloured says so by its style
    make = partial(Console, stderr=stderr, highlight=False, markup=False, emoji=False, quiet=quiet)
    console = make()
    return console if console.is_terminal else make(width=_WIDTH)
