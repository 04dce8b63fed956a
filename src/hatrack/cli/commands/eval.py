"""``hatrack eval``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hatrack.cli.screen import JsonOption, ProjectOption, print_json, progress_console, result_console

if TYPE_CHECKING:
    from hatrack.core.lineage import Manifest
    from hatrack.workflows.adapt import Workbench


def run(
    reference: Annotated[str, typer.Argument(help="NAME (its newest version) or NAME@VERSION.")],
    int8: Annotated[bool, typer.Option("--int8", help="Measure what serving in 8 bits changes, and keep that with the version.")] = False,
    general: Annotated[
        bool, typer.Option("--general", help="Measure what general ability it kept, and keep that with the version.")
    ] = False,
    project: ProjectOption = Path("."),
    json: JsonOption = False,
) -> None:
    from hatrack.cli.tables import report_tables
    from hatrack.workflows.adapt import Workbench

    bench = Workbench.open(project, progress_console())
    manifest = bench.registry.resolve(reference if "@" in reference else f"{reference}@latest")
    if int8:
        _int8(bench, manifest, json=json)
        return
    if general:
        _general(bench, manifest, json=json)
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


def _int8(bench: Workbench, manifest: Manifest, *, json: bool) -> None:
    from hatrack.workflows.precision import measure_int8

    record = measure_int8(bench, manifest, bench.prepare(manifest.name))
    if json:
        print_json(record.model_dump(mode="json"))
        return
    limit = bench.config.serve.max_int8_loss
    kept = record.loss <= limit
    console = result_console()
    console.print(
        f"{manifest.name}@{manifest.version} on {record.rows} test rows: {record.metric} {record.full:.3f} in full precision, "
        f"{record.int8:.3f} in 8 bits (95 % interval of the change {record.low:+.3f} to {record.high:+.3f}); "
        f"{record.same:.0%} of the answers are the same",
        soft_wrap=True,
    )
    verdict = "served in 8 bits" if kept else "served in full precision, one adapter at a time"
    console.print(f"  {verdict}: the limit is a loss of {limit:g} (serve.max_int8_loss)", style="green" if kept else "yellow")


def _general(bench: Workbench, manifest: Manifest, *, json: bool) -> None:
    from hatrack.workflows.general import check_general

    report = check_general(bench, manifest)
    tolerated = bench.config.gate.tolerated("general")
    losses = report.losses(tolerated)
    if json:
        print_json(report.model_dump(mode="json"))
    else:
        from hatrack.cli.checked import print_check

        console = result_console()
        print_check(console, report, tolerated)
        for sentence in losses:
            console.print(sentence, style="red")
        if not losses:
            console.print(f"nothing general fell by more than {tolerated:g} for sure (gate.tolerate)", style="green")
    raise typer.Exit(1 if losses else 0)
