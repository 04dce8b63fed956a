"""``hatrack advise``."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from hatrack.cli.screen import JsonOption, print_json, result_console


def run(
    task: Annotated[str | None, typer.Option("--task", help="labels, answers or style.")] = None,
    rows: Annotated[int | None, typer.Option("--rows", min=0, help="Examples with the right answer that are there.")] = None,
    labels: Annotated[int | None, typer.Option("--labels", min=0, help="How many labels.")] = None,
    facts: Annotated[str | None, typer.Option("--facts", help="What answers rest on: none, stable or changing.")] = None,
    gpu: Annotated[bool | None, typer.Option("--gpu/--no-gpu", help="Is there a GPU.")] = None,
    explainable: Annotated[bool | None, typer.Option("--explainable/--no-explainable", help="Must decisions be explained.")] = None,
    may_leave: Annotated[bool | None, typer.Option("--may-leave/--offline", help="May texts go to a hosted model.")] = None,
    latency: Annotated[float | None, typer.Option("--latency", help="Most milliseconds for a request.")] = None,
    json: JsonOption = False,
) -> None:
    from dataclasses import asdict

    from rich.text import Text

    from hatrack.workflows.advise import Situation, advise

    said = {"task": task, "rows": rows, "labels": labels, "facts": facts, "gpu": gpu, "explainable": explainable, "may_leave": may_leave}
    known = _completed(said, ask=sys.stdin.isatty() and not json)
    advice = advise(Situation(**known, latency_ms=latency))
    if json:
        print_json(asdict(advice))
        return
    console = result_console()
    console.print(Text.assemble("begin with ", (advice.approach, "bold green")))
    for reason in advice.reasons:
        console.print(f"  {reason}", soft_wrap=True)
    if advice.also:
        console.print(f"try beside it: {', '.join(advice.also)}", soft_wrap=True)
    for one in advice.avoid:
        console.print(f"leave: {one}", soft_wrap=True)
    console.print(f"next: {advice.next}", soft_wrap=True)
    console.print("These are rules of thumb; docs/compare.md says what each approach is.", style="dim")


def _completed(said: dict[str, Any], *, ask: bool) -> dict[str, Any]:
    """What was said, with answers to what was not; without a screen the rest has the usual values.

    Raises:
        ConfigError: a value that cannot be, or nothing is known of the task.
    """
    from hatrack.core.errors import ConfigError
    from hatrack.workflows.advise import QUESTIONS

    usual = {"labels": 0, "facts": "none", "gpu": False, "explainable": False, "may_leave": False}
    found: dict[str, Any] = {}
    for question in QUESTIONS:
        value = said[question.field]
        if value is None and question.field == "labels" and found["task"] != "labels":
            value = 0
        elif value is None and ask:
            kind = {"rows": int, "labels": int}.get(question.field, str if question.allowed else bool)
            value = typer.confirm(question.text) if kind is bool else typer.prompt(question.text, type=kind)
        elif value is None:
            value = usual.get(question.field)
        if value is None or (question.allowed and value not in question.allowed):
            raise ConfigError(
                "advice needs to know what comes out, and how many examples there are" if value is None else "this cannot be answered so",
                given=f"--{question.field} {'is not given' if value is None else value}",
                allowed=", ".join(question.allowed) or "a number",
                fix="hatrack advise --task labels --rows 500 --labels 12; on a screen it asks",
            )
        found[question.field] = value
    if found["task"] == "labels" and not found["labels"]:
        raise ConfigError(
            "how many labels are there?", given="--task labels without --labels", allowed="a number from 2", fix="add --labels"
        )
    return found
