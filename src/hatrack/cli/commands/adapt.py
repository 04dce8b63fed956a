"""``hatrack adapt``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hatrack.cli.screen import JsonOption, ProjectOption, print_json, progress_console, result_console


def run(
    names: Annotated[list[str] | None, typer.Argument(help="Adapters of hatrack.yaml; none: all of them.")] = None,
    project: ProjectOption = Path("."),
    json: JsonOption = False,
) -> None:
    from hatrack.cli.tables import report_tables, summary_table
    from hatrack.workflows.adapt import Workbench, adapt

    bench = Workbench.open(project, progress_console())
    chosen = names or bench.with_rows()
    prepared = bench.prepare_all(chosen)
    reports = []
    console = result_console()
    for name in chosen:
        manifest, report, _ = adapt(bench, name, prepared.pop(name, None))
        reports.append(report)
        if not json:
            for table in report_tables(report):
                console.print(table)
            console.print(f"{name}@{manifest.version}: " + "; ".join(report.reasons) + "\n")
    if json:
        print_json([report.model_dump(mode="json") for report in reports])
    else:
        console.print(summary_table(reports, "adapters against their base"))
    raise typer.Exit(0 if all(report.passed for report in reports) else 1)
