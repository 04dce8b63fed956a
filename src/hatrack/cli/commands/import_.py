"""``hatrack import``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hatrack.cli.screen import JsonOption, ProjectOption, print_json, progress_console, result_console


def run(
    adapter: Annotated[str, typer.Argument(help="A folder of PEFT, a LoRA in a .gguf file, or a hub id org/name[@revision].")],
    name: Annotated[
        str, typer.Option("--as", help="Its name here. An entry of this name in hatrack.yaml says its task, system prompt and test data.")
    ],
    task: Annotated[str | None, typer.Option(help="Without an entry in hatrack.yaml: what it is for; default: instruct.")] = None,
    system: Annotated[str | None, typer.Option(help="Without an entry in hatrack.yaml: its system prompt.")] = None,
    same_base: Annotated[
        bool, typer.Option("--same-base", help="It names its base otherwise than hatrack.yaml does, and it is the same model.")
    ] = False,
    project: ProjectOption = Path("."),
    json: JsonOption = False,
) -> None:
    from hatrack.cli.tables import report_tables
    from hatrack.workflows.adapt import Workbench
    from hatrack.workflows.take_in import Incoming, take_in

    bench = Workbench.open(project, progress_console())
    manifest, report = take_in(bench, Incoming(adapter, name, task, system, same_base))
    if json:
        print_json({**manifest.model_dump(mode="json"), "report": report.model_dump(mode="json") if report else None})
    else:
        console = result_console()
        console.print(f"{adapter} is {manifest.name}@{manifest.version} now: {manifest.config['method']}, task {manifest.config['task']}")
        for table in report_tables(report) if report else ():
            console.print(table)
        for reason in report.reasons if report else (f"not measured: hatrack.yaml has no data for {name}",):
            console.print(f"  {reason}")
    raise typer.Exit(1 if report and not report.passed else 0)
