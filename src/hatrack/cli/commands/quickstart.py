"""``hatrack quickstart``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hatrack.cli.screen import JsonOption, print_json, progress_console, result_console


def run(
    folder: Annotated[Path, typer.Option(help="Where to make the project.")] = Path("hatrack-quickstart"),
    json: JsonOption = False,
) -> None:
    from dataclasses import asdict

    from rich.table import Table
    from rich.text import Text

    from hatrack.cli.tables import summary_table
    from hatrack.workflows.quickstart import run_quickstart

    progress = progress_console()
    said = ("Three adapters on one base, in ", (str(folder), "bold"), ". On two cores this takes some minutes the first time.")
    progress.print(Text.assemble(*said))
    result = run_quickstart(folder, progress)
    if json:
        print_json({"reports": [r.model_dump(mode="json") for r in result.reports], "asked": [asdict(a) for a in result.asked]})
        return
    console = result_console()
    table = Table(title="one question to each, none of them in the data", title_justify="left")
    for heading in ("adapter", "question", "right", "base says", "adapter says"):
        table.add_column(heading, overflow="fold")
    for asked in result.asked:
        style = "green" if asked.adapter_said == asked.expected else "red"
        table.add_row(asked.adapter, asked.question, asked.expected, asked.base_said, Text(asked.adapter_said, style))
    console.print(table)
    console.print(summary_table(result.reports, "test rows: adapter against the best base figure"))
    console.print(
        f"{result.seconds:.0f} s in all. Next:\n"
        f'  hatrack ask -p {folder} legal "gpl 3.0"\n'
        f"  hatrack versions -p {folder}\n"
        f"  hatrack init YOUR.csv"
    )
    raise typer.Exit(0 if all(report.passed for report in result.reports) else 1)
