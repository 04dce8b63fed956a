"""``hatrack ask``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hatrack.cli.screen import JsonOption, ProjectOption, print_json, progress_console


def run(
    adapter: Annotated[str, typer.Argument(help="NAME, NAME@VERSION, or base.")],
    question: Annotated[str, typer.Argument(help="What to ask.")],
    project: ProjectOption = Path("."),
    max_new_tokens: Annotated[int, typer.Option(min=1, help="Longest answer, in tokens.")] = 256,
    temperature: Annotated[float, typer.Option(min=0.0, help="0 always takes the most likely token.")] = 0.0,
    json: JsonOption = False,
) -> None:
    from dataclasses import asdict

    from hatrack.answering.assistant import Assistant

    console = progress_console()
    assistant = Assistant.open(project, report=lambda line: console.print(f"[dim]{line}[/dim]"))
    reply = assistant.generate(question, adapter, max_new_tokens=max_new_tokens, temperature=temperature)
    if json:
        print_json(asdict(reply))
        return
    typer.echo(reply.text)
    if not reply.stopped:
        console.print(f"[dim]cut at {reply.answer_tokens} tokens; see --max-new-tokens[/dim]")
