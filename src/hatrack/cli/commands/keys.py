"""``hatrack keys``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from hatrack.cli.screen import JsonOption, ProjectOption, print_json, progress_console, result_console
from hatrack.core.aside import aside

if TYPE_CHECKING:
    from hatrack.api.keys import KeyFile


def run(
    action: Annotated[Literal["make", "list", "revoke"], typer.Argument(help="make NAME, list, or revoke NAME.")],
    name: Annotated[str, typer.Argument(help="What the key is called in lists and logs.")] = "",
    project: ProjectOption = Path("."),
    tenant: Annotated[str, typer.Option(help="Whose key it is; default: its name.")] = "",
    scope: Annotated[list[str] | None, typer.Option(help="use:NAME, use:*, metrics or admin; several times. Default: use:*.")] = None,
    requests_per_minute: Annotated[float | None, typer.Option(help="Requests that it may make in a minute.")] = None,
    tokens_per_minute: Annotated[float | None, typer.Option(help="Prompt and answer tokens that it may use in a minute.")] = None,
    json: JsonOption = False,
) -> None:
    from hatrack.api.keys import KeyFile
    from hatrack.core.config_file import read_config
    from hatrack.core.errors import ConfigError
    from hatrack.core.project import Project

    config = read_config(project)
    at = Project(project.absolute())
    file = KeyFile(at.root / config.serve.keys_file if config.serve.keys_file else at.keys)
    if action == "list":
        _list(file, json=json)
        return
    if not name:
        raise ConfigError(
            f"which key is to be {'made' if action == 'make' else 'revoked'}?", allowed="a name", fix=f"hatrack keys {action} NAME"
        )
    if action == "revoke":
        gone = file.revoke(name)
        result_console().print(f"{gone.name} is revoked; a running server refuses it from now on")
        return
    key, entry = file.make(name, scope or ("use:*",), tenant or None, requests_per_minute, tokens_per_minute)
    if json:
        print_json({"key": key, **entry.model_dump(mode="json")})
        return
    typer.echo(key)
    aside(progress_console())(f"key {name}, tenant {entry.owner}, scopes {', '.join(entry.scopes)}; it is shown only now")


def _list(file: KeyFile, *, json: bool) -> None:
    from rich.table import Table

    entries = file.read()
    if json:
        print_json([entry.model_dump(mode="json") for entry in entries])
        return
    table = Table()
    for heading in ("name", "tenant", "scopes", "requests/min", "tokens/min", "created", "revoked"):
        table.add_column(heading)
    for entry in entries:
        limits = (entry.requests_per_minute, entry.tokens_per_minute)
        table.add_row(
            entry.name,
            entry.owner,
            ", ".join(entry.scopes),
            *("no limit" if limit is None else f"{limit:,.0f}" for limit in limits),
            entry.created[:16].replace("T", " "),
            (entry.revoked or "")[:16].replace("T", " "),
        )
    result_console().print(table if entries else "No key yet: the server answers this machine only. Next: hatrack keys make NAME")
