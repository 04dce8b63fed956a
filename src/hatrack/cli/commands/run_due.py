"""``hatrack run-due``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hatrack.cli.screen import JsonOption, ProjectOption, print_json, progress_console, result_console


def run(
    history: Annotated[bool, typer.Option("--history", help="Only show what was found so far.")] = False,
    project: ProjectOption = Path("."),
    json: JsonOption = False,
) -> None:
    from hatrack.cli.watched import watch_table
    from hatrack.core.config_file import read_config
    from hatrack.core.project import Project
    from hatrack.core.watch_history import History

    if history:
        read_config(project)
        found = History(Project(project.absolute()).watch).read()
    else:
        from hatrack.workflows.watch import Watch

        found = Watch(project, progress_console()).run_due()
    if json:
        print_json([ran.model_dump(mode="json") for ran in found])
    elif found:
        result_console().print(watch_table(found))
    else:
        result_console().print("nothing was found yet" if history else "nothing is due")
    raise typer.Exit(0 if history or all(ran.outcome == "fine" for ran in found) else 1)
