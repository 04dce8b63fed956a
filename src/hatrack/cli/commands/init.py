"""``hatrack init``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hatrack.cli.screen import ProjectOption, result_console


def run(
    data: Annotated[
        Path, typer.Argument(help="A file or folder: JSONL, JSON, CSV, Parquet, transcripts, text, Markdown, HTML, DOCX, PDF.")
    ],
    project: ProjectOption = Path("."),
    name: Annotated[str, typer.Option(help="The name of the adapter, or of the table.")] = "first",
    base: Annotated[str, typer.Option(help="The base model: bundled/NAME, a path, or a hub id.")] = "bundled/smollm2-135m-instruct",
    add: Annotated[bool, typer.Option("--add", help="Add to the hatrack.yaml that is there, on its base.")] = False,
    table: Annotated[str, typer.Option(help="The file is a table, and this is the column to predict from the others.")] = "",
) -> None:
    from hatrack.workflows.init import add_adapter, write_project

    if table:
        from hatrack.workflows.init_table import write_table

        path, found = write_table(data, project, name, table, add=add)
        result_console().print(f"{path} written: {found}\n  next: hatrack table train {name}")
        return
    path, guess = add_adapter(data, project, name) if add else write_project(data, project, name, base)
    result_console().print(f"{path} written: {guess}\n  next: hatrack check, then hatrack adapt")
