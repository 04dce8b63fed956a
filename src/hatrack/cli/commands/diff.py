"""``hatrack diff``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hatrack.cli.screen import JsonOption, ProjectOption, print_json, result_console


def run(
    first: Annotated[str, typer.Argument(help="NAME@VERSION.")],
    second: Annotated[str, typer.Argument(help="NAME@VERSION.")],
    project: ProjectOption = Path("."),
    json: JsonOption = False,
) -> None:
    from rich.table import Table

    from hatrack.core.config_file import read_config
    from hatrack.core.project import Project
    from hatrack.registry.manifest import differences
    from hatrack.registry.store import Registry

    read_config(project)
    registry = Registry(Project(project.absolute()))
    a, b = registry.resolve(first), registry.resolve(second)
    rows = differences(a, b)
    reports = [registry.report(manifest) for manifest in (a, b)]
    for metric in sorted({report.metric for report in reports if report}):
        left, right = (f"{r.system('adapter').scores[metric].value:.3f}" if r and r.metric == metric else "not evaluated" for r in reports)
        rows.append((f"test {metric}", left, right))
    if json:
        print_json([{"field": field, first: left, second: right} for field, left, right in rows])
        return
    table = Table()
    for heading in ("", f"{a.name}@{a.version}", f"{b.name}@{b.version}"):
        table.add_column(heading)
    for row in rows:
        table.add_row(*row)
    result_console().print(table if rows else "These two versions are the same in everything but their numbers.")
