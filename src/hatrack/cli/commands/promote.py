"""``hatrack promote``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hatrack.cli.screen import ProjectOption, result_console


def run(
    reference: Annotated[str, typer.Argument(help="NAME (its newest version) or NAME@VERSION.")],
    project: ProjectOption = Path("."),
    override: Annotated[str, typer.Option(help="Promote without a passing report, for this reason; it is recorded.")] = "",
) -> None:
    from hatrack.core.config_file import read_config
    from hatrack.core.project import Project
    from hatrack.registry.promote import promote
    from hatrack.registry.store import Registry

    rules = read_config(project).gate
    manifest = promote(Registry(Project(project.absolute())), reference, override=override, rules=rules)
    result_console().print(f"{manifest.name}@{manifest.version} is champion (digest {manifest.digest[:12]})")
