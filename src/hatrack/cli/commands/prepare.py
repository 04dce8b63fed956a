"""``hatrack prepare``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hatrack.cli.screen import JsonOption, ProjectOption, print_json, progress_console, result_console


def run(
    names: Annotated[list[str] | None, typer.Argument(help="Adapters of hatrack.yaml; none: all of them.")] = None,
    project: ProjectOption = Path("."),
    out: Annotated[Path | None, typer.Option(help="Where to write: one folder for each adapter in it. [default: PROJECT/prepared]")] = None,
    to: Annotated[str, typer.Option(help="Form of the rows: jsonl, alpaca, chat, or openai for hosted fine-tuning.")] = "jsonl",
    preview_pii: Annotated[int, typer.Option(min=0, help="Show what redaction would change in so many rows, and write nothing.")] = 0,
    json: JsonOption = False,
) -> None:
    from hatrack.cli.prepared import change_table, pii_table, prepared_table, reply_table
    from hatrack.workflows.adapt import Workbench
    from hatrack.workflows.pii_preview import pii_preview
    from hatrack.workflows.prepare import write_prepared

    bench = Workbench.open(project, progress_console())
    console = result_console()
    found = []
    for name in names or bench.with_rows():
        if preview_pii:
            console.print(pii_table(name, pii_preview(bench, name, preview_pii)))
            continue
        prepared = bench.prepare(name)
        files = write_prepared(bench, name, prepared, (out or bench.project.root / "prepared") / name, to)
        found.append({"adapter": name, "files": [str(file) for file in files], **prepared.manifest.model_dump(mode="json")})
        if not json:
            console.print(prepared_table(name, prepared.manifest, files, prepared.repeated))
            for examples in (change_table(prepared.manifest), reply_table(prepared.manifest)):
                if examples:
                    console.print(examples)
    if json:
        print_json(found)
