"""``hatrack prepare``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hatrack.cli.screen import JsonOption, ProjectOption, print_json, progress_console, result_console


def run(
    names: Annotated[list[str] | None, typer.Argument(help="Adapters of hatrack.yaml; none: all of them.")] = None,
    project: ProjectOption = Path("."),
    out: Annotated[Path | None, typer.Option(help="Folder for the splits, one folder for each adapter in it.")] = None,
    to: Annotated[str, typer.Option(help="Form of the rows: jsonl, alpaca, chat, openai.")] = "jsonl",
    pii: Annotated[int, typer.Option("--preview-pii", min=0, help="Show so many rows in which personal data would be changed.")] = 0,
    json: JsonOption = False,
) -> None:
    from hatrack.cli.prepared import prepared_table, preview_lines
    from hatrack.workflows.adapt import Workbench
    from hatrack.workflows.prepare import write_prepared

    bench = Workbench.open(project, progress_console())
    done = []
    for name in names or list(bench.config.adapters):
        prepared = bench.prepare(name)
        files = write_prepared(bench, name, prepared, (out or bench.project.root / "prepared") / name, to)
        done.append((name, prepared, files))
    if json:
        print_json(
            [{"adapter": name, "files": [str(f) for f in files], "manifest": p.manifest.model_dump(mode="json")} for name, p, files in done]
        )
        return
    console = result_console()
    for name, prepared, files in done:
        console.print(prepared_table(name, prepared, files))
        for line in preview_lines(bench.adapter(name), prepared, pii):
            console.print(line)
