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
    name: Annotated[str, typer.Option(help="The adapter's name.")] = "first",
    base: Annotated[str, typer.Option(help="The base model: bundled/NAME, a path, or a hub id.")] = "bundled/smollm2-135m-instruct",
    add: Annotated[bool, typer.Option("--add", help="Add an adapter to the hatrack.yaml that is there, on its base.")] = False,
) -> None:
    from hatrack.workflows.init import add_adapter, write_project

    path, guess = add_adapter(data, project, name) if add else write_project(data, project, name, base)
    result_console().print(f"{path} written: {guess}\n  next: hatrack check, then hatrack adapt", markup=False)
