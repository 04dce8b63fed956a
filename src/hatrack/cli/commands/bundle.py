"""``hatrack bundle``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hatrack.cli.screen import JsonOption, ProjectOption, print_json, progress_console, result_console


def run(
    out: Annotated[Path | None, typer.Argument(help="The file to write, NAME.hatrack.")] = None,
    wheels: Annotated[Path | None, typer.Option(help="A folder of wheels to take along, as `pip wheel` fills it.")] = None,
    new_key: Annotated[bool, typer.Option("--new-key", help="Print a new signing key and its public half; write nothing.")] = False,
    project: ProjectOption = Path("."),
    json: JsonOption = False,
) -> None:
    from hatrack.core.errors import ConfigError
    from hatrack.workflows.bundle.record import KEY
    from hatrack.workflows.bundle.record import new_key as make_key

    console = result_console()
    if new_key:
        private, public = make_key()
        if json:
            print_json({"private": private, "public": public})
            return
        console.print(f"{KEY}={private}")
        console.print(f"public key, for `hatrack unbundle --signed-by`: {public}")
        return
    if out is None:
        raise ConfigError("bundle needs the name of the file to write", given="nothing", allowed="hatrack bundle NAME.hatrack")
    from hatrack.workflows.adapt import Workbench
    from hatrack.workflows.bundle.pack import pack

    record = pack(Workbench.open(project, progress_console()), out, wheels)
    if json:
        print_json(record.model_dump(mode="json"))
        return
    console.print(f"{out}: {out.stat().st_size:,} bytes, {len(record.files)} files, {len(record.versions)} versions")
    console.print(f'  there: pip install "{record.requirement}"')
    for line in record.left_out:
        console.print(f"  {line}", style="yellow")
