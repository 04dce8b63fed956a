"""``hatrack mcp``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hatrack.cli.screen import ProjectOption, progress_console
from hatrack.core.aside import aside


def run(
    project: ProjectOption = Path("."),
    tenant: Annotated[str | None, typer.Option(help="Read only what this tenant may read; default: everything.")] = None,
) -> None:
    from hatrack.answering.assistant import Assistant
    from hatrack.api.tools import build_tools

    console = progress_console()  # stdout carries the protocol
    assistant = Assistant.open(project, report=aside(console))
    build_tools(assistant, tenant).run()
