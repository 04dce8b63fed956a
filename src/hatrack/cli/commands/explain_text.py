"""``hatrack explain-text``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from hatrack.cli.screen import JsonOption, ProjectOption, print_json, progress_console
from hatrack.core.aside import aside


def run(
    name: Annotated[str, typer.Argument(help="The table: NAME (its champion, else its newest version) or NAME@VERSION.")],
    file: Annotated[Path, typer.Argument(help="Rows: CSV, Parquet or JSONL.")],
    row: Annotated[list[int] | None, typer.Option(help="Number of a row in the file; several times. Default: the first.")] = None,
    reader: Annotated[Literal["customer", "analyst", "auditor"], typer.Option(help="Whom the text is for.")] = "customer",
    adapter: Annotated[str, typer.Option(help="Who writes it: an adapter, hosted ones too, or base. Default: a template.")] = "",
    reasons: Annotated[int, typer.Option(min=1, max=10, help="How many reasons it may name.")] = 3,
    project: ProjectOption = Path("."),
    json: JsonOption = False,
) -> None:
    from hatrack.cli.tabular_rows import chosen_rows, opened
    from hatrack.tabular.explaining.reasons import explain_rows
    from hatrack.tabular.wording.facts import Facts
    from hatrack.tabular.wording.write import worded

    model, table = opened(project, name, file, None)
    classes = model.card.decision.classes if model.card.decision else ()
    console, ask = progress_console(), None
    if adapter:
        from hatrack.answering.assistant import Assistant

        assistant = Assistant.open(project, report=aside(console))
        assistant.check_name(adapter)

        def ask(prompt: str) -> str:
            return assistant.generate(prompt, adapter, max_new_tokens=160).text

    found = []
    for one in explain_rows(model, chosen_rows(table, row)):
        text = worded(Facts.of(one, classes, model.card.target, reasons), reader, ask)
        found.append({"row": one.row, **text.as_dict()})
        if not json:
            typer.echo(text.text)
        if text.faults:
            wrong = "; ".join(f"{fault.kind}: {fault.words}" for fault in text.faults[:4])
            console.print(f"row {one.row}: the template, because what {adapter} wrote is not borne by the facts ({wrong})", style="yellow")
    if json:
        print_json(found)
