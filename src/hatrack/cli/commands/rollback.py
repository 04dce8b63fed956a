"""``hatrack rollback``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hatrack.cli.screen import ProjectOption, result_console


def run(
    name: Annotated[str, typer.Argument(help="The adapter.")],
    why: Annotated[str, typer.Option(help="The reason; it is kept in the registry's log.")] = "",
    project: ProjectOption = Path("."),
) -> None:
    from hatrack.core.config_file import read_config
    from hatrack.core.project import Project
    from hatrack.registry.promote import rollback
    from hatrack.registry.store import Registry

    read_config(project)
    manifest = rollback(Registry(Project(project.absolute())), name, why=why)
    result_console().print(f"{manifest.name}@{manifest.version} is champion again (digest {manifest.digest[:12]})")
