"""``hatrack drift``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hatrack.cli.screen import JsonOption, ProjectOption, print_json, progress_console, result_console

if TYPE_CHECKING:
    from hatrack.evaluation.drift.compare import DriftReport


def run(
    reference: Annotated[str, typer.Argument(help="NAME (its champion, else its newest version) or NAME@VERSION.")],
    file: Annotated[Path | None, typer.Option(help="Compare the rows of this data file instead of the logged requests.")] = None,
    make: Annotated[bool, typer.Option("--reference", help="Only make the version's reference anew.")] = False,
    stream: Annotated[bool, typer.Option("--stream", help="Also say when it changed, by ADWIN (extra drift).")] = False,
    project: ProjectOption = Path("."),
    json: JsonOption = False,
) -> None:
    from dataclasses import asdict

    from hatrack.workflows.adapt import Workbench
    from hatrack.workflows.drift import find_drift, make_reference

    bench = Workbench.open(project, progress_console())
    manifest = bench.registry.resolve(reference)
    if make:
        sample = make_reference(bench, manifest)
        result_console().print(f"{manifest.name}@{manifest.version}: reference of {len(sample.lengths)} inputs kept")
        return
    found = find_drift(bench, manifest, file=file, stream=stream)
    report = found.report
    if json:
        print_json({**report.model_dump(mode="json"), "drifted": report.drifted, "changes": [asdict(change) for change in found.changes]})
        raise typer.Exit(1 if report.drifted else 0)
    _print(report)
    console = result_console()
    for change in found.changes:
        console.print(f"  {change.what}: changed after about {change.at} requests, from {change.before:.3g} to {change.after:.3g}")
    if stream and not found.changes:
        console.print("  ADWIN found no moment at which anything changed")
    raise typer.Exit(1 if report.drifted else 0)


def _print(report: DriftReport) -> None:
    from rich.table import Table

    from hatrack.core.figures import p_words

    title = f"{report.subject}: {report.window} requests against {report.reference} reference inputs"
    table = Table(title=title, title_justify="left")
    for heading in ("", "test", "before", "now", "PSI", "p", f"p, {report.correction}", ""):
        table.add_column(heading, justify="right" if heading.startswith(("PSI", "p")) else "left")
    for test in report.tests:
        size = "" if test.psi is None else f"{test.psi:.2f}"
        verdict, colour = ("drifted", "red") if test.drifted else ("", "")
        table.add_row(
            test.what, test.test, test.before, test.now, size, p_words(test.p_value), p_words(test.adjusted), verdict, style=colour
        )
    console = result_console()
    console.print(table)
    names = ", ".join(test.what for test in report.tests if test.drifted)
    if report.drifted:
        console.print(f"drifted: {names} (at most {report.alpha:.0%} of windows like the reference are called so)", style="red")
    else:
        console.print("no drift was found", style="green")
