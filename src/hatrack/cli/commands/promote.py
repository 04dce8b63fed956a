"""``hatrack promote``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hatrack.cli.screen import ProjectOption, progress_console, result_console


def run(
    reference: Annotated[str, typer.Argument(help="NAME (its newest version) or NAME@VERSION.")],
    project: ProjectOption = Path("."),
    override: Annotated[str, typer.Option(help="Promote without a passing report, for this reason; it is recorded.")] = "",
) -> None:
    from hatrack.workflows.adapt import Workbench
    from hatrack.workflows.promotion import promote_measured

    manifest = promote_measured(Workbench.open(project, progress_console()), reference, override=override)
    result_console().print(f"{manifest.name}@{manifest.version} is champion (digest {manifest.digest[:12]})")
