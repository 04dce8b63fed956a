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
    html: Annotated[Path | None, typer.Option(help="Write the report as one HTML page, with plots, to this file.")] = None,
    against: Annotated[Path | None, typer.Option(help="Name the training rows that also stand in this evaluation file.")] = None,
    json: JsonOption = False,
) -> None:
    from rich.text import Text

    from hatrack.cli.quality import quality_lines
    from hatrack.cli.tokens import token_lines
    from hatrack.core.atomic import write_text
    from hatrack.workflows.adapt import Workbench
    from hatrack.workflows.check import check_all

    progress = progress_console()
    bench = Workbench.open(project, progress)
    findings, refusals = check_all(bench, names or bench.with_rows(), show=show, against=against)
    if html and findings:
        from hatrack.workflows.check_page.page import render_page

        write_text(html, render_page(findings))
        progress.print(f"the page is {html}", soft_wrap=True)
    if json and findings:
        print_json([finding.report.model_dump(mode="json") for finding in findings])
    for finding in [] if json else findings:
        # what cannot be trained on is no result: it goes where its error goes
        console = progress if finding.refusal else result_console()
        for line in (*quality_lines(finding.report), *token_lines(finding.shown)):
            console.print(line)
    for name, refusal in refusals[:-1]:
        progress.print(Text.assemble((f"{name}:", "red"), f" {refusal}"))
    if refusals:
        raise refusals[-1][1]
