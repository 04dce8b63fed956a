"""``hatrack worker``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hatrack.cli.screen import ProjectOption, progress_console, result_console

_LONGEST = 60.0  # seconds between two looks, so that a clock that was set does not matter for long


def run(
    once: Annotated[bool, typer.Option("--once", help="End when nothing is due any more.")] = False,
    project: ProjectOption = Path("."),
) -> None:
    import signal
    import threading
    import time

    from hatrack.cli.watched import watch_table
    from hatrack.workflows.watch import Watch

    watch = Watch(project, progress_console())
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    console = result_console()
    console.print("watching; Ctrl-C or SIGTERM ends it after the running job", style="dim")
    while not stop.is_set():
        found = watch.run_due()
        if found:
            console.print(watch_table(found))
        wait = watch.wait(time.time())
        if once and wait > 0:
            break
        stop.wait(min(_LONGEST, max(1.0, wait)))
    console.print("stopped")
