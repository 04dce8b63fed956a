"""``hatrack merge``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hatrack.cli.screen import JsonOption, ProjectOption, print_json, progress_console, result_console


def run(
    name: Annotated[str, typer.Argument(help="The name of the new adapter.")],
    parts: Annotated[list[str], typer.Argument(help="Versions and weights: NAME@VERSION=0.5; without =, the weight is 1.")],
    method: Annotated[str, typer.Option(help="cat, svd, linear, ties, dare-linear or dare-ties.")] = "cat",
    rank: Annotated[int | None, typer.Option(help="Rank of the result, for svd, ties and dare.")] = None,
    density: Annotated[float, typer.Option(help="Share of entries that ties and dare keep.")] = 0.5,
    seed: Annotated[int, typer.Option(help="Which entries dare drops.")] = 13,
    project: ProjectOption = Path("."),
    json: JsonOption = False,
) -> None:
    from rich.table import Table

    from hatrack.cli.tables import kept_table
    from hatrack.workflows.adapt import Workbench
    from hatrack.workflows.merge import MergeRequest, merge, parse_parts, re_evaluate

    request = MergeRequest(name, parse_parts(parts), method, rank, density, seed)
    bench = Workbench.open(project, progress_console())
    manifest = merge(bench, request)
    measured = re_evaluate(bench, manifest)
    if json:
        reports = {parent: report.model_dump(mode="json") for parent, report in measured.items()}
        print_json({**manifest.model_dump(mode="json"), "reports": reports})
    else:
        console = result_console()
        kept = manifest.training["kept_energy"]
        console.print(
            f"{manifest.name}@{manifest.version}  digest {manifest.digest[:12]}  rank {manifest.config['options']['r']}"
            + (f"; its rank holds {kept:.1%} of the merged update" if kept < 1 else "")
        )
        table = Table(title="on the test rows of each parent", title_justify="left")
        for heading in ("parent", "rows", "metric", "base", "merged", "gain over base", "verdict"):
            table.add_column(heading)
        for parent, report in measured.items():
            gain = report.comparison(report.metric)
            table.add_row(
                parent,
                str(report.rows),
                report.metric,
                f"{report.system(report.best_base).scores[report.metric].value:.3f}",
                f"{report.system('adapter').scores[report.metric].value:.3f}",
                f"{gain.difference:+.3f} ({gain.interval.low:+.3f} to {gain.interval.high:+.3f})",
                "better than the base" if report.passed else "not proven",
            )
        if measured:
            console.print(table)
            console.print(kept_table([kept for report in measured.values() for kept in report.kept]))
    raise typer.Exit(0 if measured and all(report.passed for report in measured.values()) else 1)
