"""``hatrack unbundle``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hatrack.cli.screen import JsonOption, print_json, result_console


def run(
    file: Annotated[Path, typer.Argument(help="The bundle.")],
    into: Annotated[Path | None, typer.Option(help="The new folder of the project.")] = None,
    signed_by: Annotated[str | None, typer.Option(help="Public key of whoever may have made it; required with --into.")] = None,
    verify: Annotated[bool, typer.Option("--verify", help="Check signature and every file, and write nothing.")] = False,
    json: JsonOption = False,
) -> None:
    from hatrack.core.errors import ConfigError
    from hatrack.workflows.bundle.unpack import unpack
    from hatrack.workflows.bundle.unpack import verify as check

    if verify == (into is not None) or (into is not None and signed_by is None):
        raise ConfigError(
            "say what is to be done with the bundle, and whom you trust",
            given=f"--into {into or 'nothing'}, --signed-by {signed_by or 'nobody'}{', --verify' if verify else ''}",
            allowed="--verify, or --into FOLDER --signed-by KEY",
            fix="ask whoever made it for the public key, by another way than the bundle came",
        )
    found = check(file, signed_by) if into is None or signed_by is None else unpack(file, into, signed_by)
    record = found.record
    if json:
        print_json({**record.model_dump(mode="json"), "signer": found.signer})
        return
    console = result_console()
    console.print(f"{file.name}: {len(record.files)} files are as they were signed by {found.signer}")
    console.print(f"  base {record.base}, {', '.join(record.versions)}")
    for line in record.left_out:
        console.print(f"  {line}", style="yellow")
    if into is None:
        return
    if (into / "wheels").is_dir():
        command = f'pip install --no-index --find-links {into / "wheels"} "{record.requirement}"'
        console.print(f"  install: {command}", soft_wrap=True)
    console.print(f"  use: hatrack serve --project {into}", soft_wrap=True)
