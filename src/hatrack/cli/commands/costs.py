"""``hatrack costs``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from hatrack.cli.screen import JsonOption, ProjectOption, print_json, result_console

if TYPE_CHECKING:
    from hatrack.workflows.costs import Costs


def run(
    period: Annotated[
        Literal["day", "month", "total"], typer.Option("--period", help="Since when: today, this month (both of UTC), or ever.")
    ] = "month",
    project: ProjectOption = Path("."),
    json: JsonOption = False,
) -> None:
    from dataclasses import asdict

    from hatrack.workflows.costs import costs

    found = costs(project, period)
    if json:
        print_json(asdict(found))
    else:
        _show(found, period)


def _show(found: Costs, period: str) -> None:
    from rich.table import Table

    console = result_console()
    if not found.lines:
        console.print("No hosted model was asked" + {"day": " today.", "month": " this month."}.get(period, " yet."))
    else:
        table = Table(title=f"hosted models, {period}", title_justify="left")
        for heading in ("adapter", "model", "requests", "unanswered", "prompt tokens", "answer tokens", "cost"):
            table.add_column(heading, justify="left" if heading in ("adapter", "model") else "right")
        for line in found.lines:
            counts = (f"{value:,}" for value in (line.requests, line.unanswered, line.prompt_tokens, line.answer_tokens))
            cost = "no price" if line.cost is None else f"{line.cost:,.6f}"
            table.add_row(line.adapter or "(by address)", line.model, *counts, cost)
        console.print(table)
        if any(line.unanswered for line in found.lines):
            console.print("Nobody knows what unanswered requests cost; they count with the most that they can.", style="dim")
    for budget in found.budgets:
        style = "red" if budget.spent >= budget.limit else "yellow" if budget.spent >= 0.8 * budget.limit else ""
        console.print(f"{budget.place}: {budget.spent:.6g} of {budget.limit:g}", style=style)
