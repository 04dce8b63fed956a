"""``hatrack shrink``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hatrack.cli.screen import JsonOption, ProjectOption, print_json, progress_console, result_console


def run(
    reference: Annotated[str, typer.Argument(help="A version of method full or last-n: NAME@VERSION.")],
    rank_energy: Annotated[float, typer.Option(help="Share of each difference's squared norm to keep.")] = 0.99,
    project: ProjectOption = Path("."),
    json: JsonOption = False,
) -> None:
    from hatrack.cli.tables import report_tables
    from hatrack.workflows.adapt import Workbench
    from hatrack.workflows.shrink import shrink

    bench = Workbench.open(project, progress_console())
    made = shrink(bench, reference, rank_energy)
    manifest, report = made.manifest, made.report
    if json:
        sizes = {"bytes_before": made.bytes_before, "bytes": made.record.bytes_coded, "relative_error": made.record.relative_error}
        print_json({**manifest.model_dump(mode="json"), **sizes, "report": report.model_dump(mode="json")})
    else:
        console = result_console()
        console.print(
            f"{manifest.name}@{manifest.version}: {made.record.bytes_coded:,} bytes instead of {made.bytes_before:,}; "
            f"{made.record.relative_error:.2%} of the norm of the differences is missing"
        )
        for table in report_tables(report):
            console.print(table)
        if made.before is not None:
            was, now = (one.system("adapter").scores[report.metric].value for one in (made.before, report))
            console.print(f"  {report.metric} of {reference} on the same rows: {was:.3f}, now {now:.3f}")
        for reason in report.reasons:
            console.print(f"  {reason}")
    raise typer.Exit(0 if report.passed else 1)
