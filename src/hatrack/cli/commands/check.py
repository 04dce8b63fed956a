"""``hatrack check``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hatrack.cli.screen import JsonOption, ProjectOption, print_json, progress_console, result_console


def run(
    names: Annotated[list[str] | None, typer.Argument(help="Adapters of hatrack.yaml; none: all of them.")] = None,
    project: ProjectOption = Path("."),
    show: Annotated[int, typer.Option(min=0, help="Show so many rows token by token: what is trained is coloured.")] = 0,
    json: JsonOption = False,
) -> None:
    from hatrack.cli.tokens import token_lines
    from hatrack.workflows.adapt import Workbench
    from hatrack.workflows.check import check_adapter

    bench = Workbench.open(project, progress_console())
    findings = [check_adapter(bench, name) for name in names or list(bench.config.adapters)]
    if json:
        print_json([finding.as_dict() for finding in findings])
        return
    console = result_console()
    for finding in findings:
        console.print(finding.table())
        for line in token_lines(finding, bench.files.tokenizer, show):
            console.print(line)
