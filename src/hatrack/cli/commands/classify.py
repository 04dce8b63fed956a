"""``hatrack classify``."""

from __future__ import annotations

import json as json_module
from pathlib import Path
from typing import Annotated

import typer

from hatrack.cli.screen import ProjectOption, progress_console
from hatrack.core.aside import aside

_AT_ONCE = 256


def run(
    adapter: Annotated[str, typer.Argument(help="NAME or NAME@VERSION.")],
    file: Annotated[Path, typer.Argument(help="A .jsonl or .csv file, or a .txt file with one text a line.")],
    project: ProjectOption = Path("."),
    column: Annotated[str, typer.Option(help="The column that holds the text.")] = "text",
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write JSON lines to this file; without it, to the screen.")] = None,
) -> None:
    from hatrack.answering.assistant import Assistant
    from hatrack.core.atomic import write_text
    from hatrack.data.texts import read_texts

    console = progress_console()
    assistant = Assistant.open(project, report=aside(console))
    assistant.check_name(adapter)
    rows = read_texts(file, column)
    lines = []
    for start in range(0, len(rows), _AT_ONCE):
        part = rows[start : start + _AT_ONCE]
        for (number, text), found in zip(part, assistant.classify([text for _, text in part], adapter), strict=True):
            probability = None if found.probability is None else round(found.probability, 4)
            row = {"row": number, "label": found.label, "probability": probability, "text": text}
            lines.append(json_module.dumps(row, ensure_ascii=False))
    if output is None:
        for line in lines:
            typer.echo(line)
    else:
        write_text(output, "".join(line + "\n" for line in lines))
        console.print(f"{len(lines)} rows written to {output}")
