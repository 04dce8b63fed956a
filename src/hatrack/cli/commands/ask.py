"""``hatrack ask``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hatrack.cli.screen import JsonOption, ProjectOption, print_json, progress_console, result_console
from hatrack.core.aside import aside


def run(
    adapter: Annotated[str, typer.Argument(help="NAME, NAME@VERSION, or base.")],
    question: Annotated[str, typer.Argument(help="What to ask.")],
    project: ProjectOption = Path("."),
    max_new_tokens: Annotated[int, typer.Option(min=1, help="Longest answer, in tokens.")] = 256,
    kb: Annotated[
        bool | None, typer.Option("--kb/--no-kb", help="Answer from the documents of `hatrack kb`; default: as the adapter says.")
    ] = None,
    collection: Annotated[
        list[str] | None, typer.Option("--collection", "-c", help="A collection to answer from; may be repeated.")
    ] = None,
    where: Annotated[str | None, typer.Option("--filter", help='Only documents with these metadata, as JSON: {"country": "FR"}.')] = None,
    as_of: Annotated[str | None, typer.Option(help="Only documents that are valid on this day, as 2024-01-31.")] = None,
    temperature: Annotated[float, typer.Option(min=0.0, help="0 always takes the most likely token.")] = 0.0,
    json: JsonOption = False,
) -> None:
    from dataclasses import asdict

    from hatrack.answering.assistant import Assistant
    from hatrack.answering.grounding import KnowledgeWish
    from hatrack.answering.reply import ask_grounded
    from hatrack.cli.filters import read_filter
    from hatrack.cli.grounded import show_grounded

    console = progress_console()
    assistant = Assistant.open(project, report=aside(console))
    asked = KnowledgeWish(tuple(collection or ()), read_filter(where), as_of)
    wish = assistant.knowledge.wanted(adapter.partition("@")[0], asked if kb or (kb is None and asked != KnowledgeWish()) else kb)
    if wish is not None:
        grounded, answer = ask_grounded(assistant, question, adapter, wish, max_new_tokens=max_new_tokens, temperature=temperature)
        if json:
            print_json({"text": answer, "adapter": adapter, "knowledge": grounded.told(answer)})
            return
        show_grounded(result_console(), grounded, answer)
        return
    reply = assistant.generate(question, adapter, max_new_tokens=max_new_tokens, temperature=temperature)
    if json:
        print_json(asdict(reply))
        return
    typer.echo(reply.text)
    if not reply.stopped:
        aside(console)(f"cut at {reply.answer_tokens} tokens; see --max-new-tokens")
