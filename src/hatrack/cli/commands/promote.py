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
    from hatrack.core.config_file import read_config
    from hatrack.core.project import Project
    from hatrack.registry.promote import check_promotion, promote
    from hatrack.registry.store import Registry
    from hatrack.workflows.promotion import promote_measured, wants_measuring

    config, registry = read_config(project), Registry(Project(project.absolute()))
    manifest, _ = check_promotion(registry, reference, override=override, rules=config.gate)
    if wants_measuring(registry, config, manifest):
        from hatrack.workflows.adapt import Workbench

        promote_measured(Workbench.open(project, progress_console()), manifest, override=override)
    else:
        promote(registry, f"{manifest.name}@{manifest.version}", override=override, rules=config.gate)
    result_console().print(f"{manifest.name}@{manifest.version} is champion (digest {manifest.digest[:12]})")
