"""``hatrack eval``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hatrack.cli.screen import JsonOption, ProjectOption, print_json, progress_console, result_console


def run(
    reference: Annotated[str, typer.Argument(help="NAME (its newest version) or NAME@VERSION.")],
    project: ProjectOption = Path("."),
    json: JsonOption = False,
) -> None:
    from hatrack.cli.tables import report_tables
    from hatrack.workflows.adapt import Workbench

    bench = Workbench.open(project, progress_console())
    manifest = bench.registry.resolve(reference if "@" in reference else f"{reference}@latest")
    report = bench.evaluate(manifest, bench.prepare(manifest.name), again=True)
    if json:
        print_json(report.model_dump(mode="json"))
    else:
        console = result_console()
        for table in report_tables(report):
            console.print(table)
        for reason in report.reasons:
            console.print(f"  {reason}")
        next_step = (
            f"next: hatrack promote {manifest.name}@{manifest.version}"
            if report.passed
            else "It does not beat the base; it can not be promoted."
        )
        console.print(next_step, style="green" if report.passed else "red")
    raise typer.Exit(0 if report.passed else 1)
