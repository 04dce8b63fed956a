"""``hatrack delta``."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from hatrack.cli.screen import JsonOption, print_json, progress_console, result_console
from hatrack.core.aside import aside


class Action(StrEnum):
    """What to do with a delta file."""

    make = "make"
    apply = "apply"
    verify = "verify"


def run(
    action: Annotated[Action, typer.Argument(help="make it, apply it, or verify that it restores what it should.")],
    base: Annotated[str, typer.Argument(help="The base model: bundled/NAME, a hub id, or a path.")],
    file: Annotated[Path, typer.Argument(help="The delta, which make writes; or the weights of a full adapter.")],
    folder: Annotated[Path | None, typer.Argument(help="The tuned model: make reads it, apply writes it.")] = None,
    rank_energy: Annotated[float | None, typer.Option(help="make: keep this share of each difference (0.99); default: exact.")] = None,
    json: JsonOption = False,
) -> None:
    from hatrack.core.errors import ConfigError
    from hatrack.models.delta.parameters import ParameterDelta
    from hatrack.models.delta.record import Delta
    from hatrack.models.loading import open_base
    from hatrack.registry.delta import apply_delta, make_delta, verify_delta
    from hatrack.registry.tuned import apply_adapter, is_adapter, verify_adapter

    if (folder is None) != (action is Action.verify):
        raise ConfigError(
            f"delta {action.value} {'takes no folder' if folder else 'needs the folder of the tuned model'}",
            given=f"delta {action.value} {base} {file} {folder or ''}".rstrip(),
            allowed="delta make BASE DELTA FOLDER, delta apply BASE DELTA FOLDER, delta verify BASE DELTA",
        )
    console = progress_console()
    files = open_base(base, report=aside(console))
    delta: Delta | ParameterDelta
    if action is Action.make and folder is not None:
        delta = make_delta(files, folder, file, rank_energy)
    elif is_adapter(file):
        delta = verify_adapter(files, file) if folder is None else apply_adapter(files, file, folder)
    else:
        delta = verify_delta(files, file) if folder is None else apply_delta(files, file, folder)
    if json:
        print_json(delta.model_dump(mode="json"))
        return
    said = {Action.make: "written and tried", Action.apply: f"applied: {folder}", Action.verify: "restores what it should"}[action]
    quality = "bit for bit" if delta.exact else f"approximate: {delta.relative_error:.2%} of the norm of the differences is missing"
    console = result_console()
    console.print(f"{file.name}: {said}; {quality}")
    console.print(f"  {delta.bytes_coded:,} bytes for {delta.bytes_tuned:,} ({delta.bytes_coded / max(delta.bytes_tuned, 1):.1%})")
    console.print(f"  base {files.fingerprint[:12]}, restores {delta.fingerprint[:12]}")
    if isinstance(delta, Delta) and delta.left_out:
        console.print(f"  not part of a model, left out: {', '.join(delta.left_out)}", style="yellow")
