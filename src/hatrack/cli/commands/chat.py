"""``hatrack chat``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hatrack.cli.screen import ProjectOption, progress_console, result_console
from hatrack.core.aside import aside


def run(
    adapter: Annotated[str, typer.Option(help="NAME, NAME@VERSION, or base.")] = "base",
    project: ProjectOption = Path("."),
    kb: Annotated[
        bool | None, typer.Option("--kb/--no-kb", help="Answer from the documents of `hatrack kb`; default: as each adapter says.")
    ] = None,
    temperature: Annotated[float, typer.Option(min=0.0, help="0 always takes the most likely token.")] = 0.0,
    max_new_tokens: Annotated[int, typer.Option(min=1, help="Longest answer, in tokens.")] = 256,
) -> None:
    from rich.text import Text

    from hatrack.answering.assistant import Assistant
    from hatrack.answering.reply import ask_grounded
    from hatrack.cli.grounded import show_grounded
    from hatrack.core.chat import Message
    from hatrack.core.errors import HatrackError

    console = progress_console()
    assistant = Assistant.open(project, report=aside(console))
    assistant.check_name(adapter)
    console.print(Text.assemble("Talking with ", (adapter, "bold"), ". /use NAME switches the adapter, /new forgets, /quit ends."))
    turns: list[Message] = []
    while True:
        try:
            line = input(f"{adapter}> ").strip()
        except EOFError:
            break
        if line in ("/quit", "/exit"):
            break
        if line == "/new":
            turns = []
        elif line.startswith("/use "):
            try:
                assistant.check_name(line[5:].strip())
                adapter = line[5:].strip()
            except HatrackError as error:
                console.print(f"Error: {error}")
        elif line.startswith("/"):
            console.print("Commands: /use NAME, /new, /quit")
        elif line:
            turns.append(Message("user", line))
            wish = assistant.knowledge.wanted(adapter.partition("@")[0], kb)
            try:
                if wish is None:
                    reply = assistant.generate(
                        turns,
                        adapter,
                        temperature=temperature,
                        max_new_tokens=max_new_tokens,
                        on_text=lambda text: typer.echo(text, nl=False),
                    )
                    typer.echo()
                    answer = reply.text
                else:
                    grounded, answer = ask_grounded(assistant, turns, adapter, wish, max_new_tokens=max_new_tokens, temperature=temperature)
                    show_grounded(result_console(), grounded, answer)
            except HatrackError as error:
                turns.pop()
                console.print(f"Error: {error}")
                continue
            turns.append(Message("assistant", answer))
