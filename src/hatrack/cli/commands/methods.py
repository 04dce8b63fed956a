"""``hatrack methods``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hatrack.cli.screen import JsonOption, ProjectOption, print_json, progress_console, result_console
from hatrack.core.aside import aside

if TYPE_CHECKING:
    from rich.table import Table

    from hatrack.models.loading import BaseModelFiles
    from hatrack.training.footprint import Footprint

_NARROW = 100  # columns below which a sentence beside six figures would be a column of single words


def run(
    project: ProjectOption = Path("."),
    base: Annotated[str | None, typer.Option("--base", help="Another base than the project's: bundled/NAME, a hub id, or a path.")] = None,
    json: JsonOption = False,
) -> None:
    from hatrack.training.footprint import footprints

    files = _base(project, base)
    found = footprints(files)
    if json:
        print_json([_as_dict(one) for one in found])
        return
    console = result_console()
    console.print(_table(found, f"on {files.spec}" if files else "", console.width))
    console.print(
        "memory: base, trained parameters, gradients and optimizer; activations come on top.\n"
        "merge: can be added into the base. mix: different adapters in one batch. 4-bit: learns on a 4-bit base.\n"
        "Elsewhere: `hatrack train NAME --provider openai` fine-tunes a hosted model, whatever `method` says; see docs/hosted.md."
    )


def _base(project: Path, spec: str | None) -> BaseModelFiles | None:
    """The base that was asked for, the project's, or the default one; None where the default is not here."""
    from hatrack.core.config import ProjectConfig
    from hatrack.core.config_file import CONFIG_NAME, read_config
    from hatrack.core.errors import ModelError
    from hatrack.core.project import Project
    from hatrack.models.loading import open_base

    if spec is None and (project / CONFIG_NAME).is_file():
        spec = Project(project.absolute()).base_spec(read_config(project).base)
    console = progress_console()
    try:
        default = str(ProjectConfig.model_fields["base"].default)
        return open_base(spec or default, report=aside(console))
    except ModelError as error:
        if spec is not None:
            raise
        console.print(f"no figures: {error.what}; name a base with --base", style="yellow")
        return None


def _as_dict(one: Footprint) -> dict[str, Any]:
    from dataclasses import asdict

    from hatrack.training.methods.base import METHODS

    options = METHODS.get(one.method).options.model_json_schema().get("properties", {})
    return {"name": one.method, **asdict(one.traits), "trained": one.trained, "memory": one.memory, "options": options}


def _table(found: list[Footprint], title: str, width: int) -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("method", no_wrap=True)
    for heading in ("trained", "memory"):
        table.add_column(heading, justify="right", no_wrap=True)
    for heading in ("merge", "mix", "4-bit"):
        table.add_column(heading, no_wrap=True)
    table.add_column("choose it when" if width >= _NARROW else "what it trains")
    for one in found:
        traits = one.traits
        yes = ["yes" if value else "-" for value in (traits.mergeable, traits.mixable, traits.four_bit)]
        sentence = traits.when if width >= _NARROW else traits.summary
        table.add_row(one.method, _count(one.trained), _size(one.memory), *yes, sentence)
    return table


def _count(trained: int | None) -> str:
    if trained is None:
        return "-"
    return f"{trained / 1e6:.1f} M" if trained >= 1e6 else f"{trained / 1e3:.1f} k"


def _size(memory: int | None) -> str:
    return "" if memory is None else f"{memory / 1e6:,.0f} MB"
