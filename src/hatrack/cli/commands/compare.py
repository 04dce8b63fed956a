"""``hatrack compare``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hatrack.cli.screen import JsonOption, ProjectOption, print_json, progress_console, result_console

if TYPE_CHECKING:
    from hatrack.core.config_compare import CompareSettings


def run(
    name: Annotated[str | None, typer.Argument(help="The adapter whose data is used; can be left out where there is one.")] = None,
    only: Annotated[str, typer.Option("--only", help="Approaches to try, separated by commas.")] = "",
    minutes: Annotated[float | None, typer.Option("--minutes", help="After so many minutes no approach is begun.")] = None,
    max_latency: Annotated[float | None, typer.Option("--max-latency", help="Wish: most milliseconds for a request (p95).")] = None,
    max_memory: Annotated[float | None, typer.Option("--max-memory", help="Wish: most memory in megabytes.")] = None,
    explainable: Annotated[bool, typer.Option("--explainable", help="Wish: it can say what decided.")] = False,
    offline: Annotated[bool, typer.Option("--offline", help="Wish: nothing leaves this machine.")] = False,
    curves: Annotated[str | None, typer.Option("--curves", help="Learning curves: best, all or off.")] = None,
    page: Annotated[Path | None, typer.Option("--page", help="Where the HTML page is written.")] = None,
    project: ProjectOption = Path("."),
    json: JsonOption = False,
) -> None:
    from rich.text import Text

    from hatrack.cli.approaches import compare_tables
    from hatrack.core.atomic import write_text
    from hatrack.core.errors import ConfigError
    from hatrack.workflows.adapt import Workbench
    from hatrack.workflows.bakeoff.compare import compare
    from hatrack.workflows.bakeoff.page.page import render_page

    bench = Workbench.open(project, progress_console())
    if name is None and len(bench.config.adapters) > 1:
        raise ConfigError("compare works on the data of one adapter", allowed=", ".join(bench.config.adapters), fix="name one of them")
    chosen = name or next(iter(bench.config.adapters))
    asked = {"minutes": minutes, "curves": curves, "approaches": [one.strip() for one in only.split(",") if one.strip()] or None}
    wishes = {"max_latency_ms": max_latency, "max_memory_mb": max_memory, "explainable": explainable or None, "offline": offline or None}
    found = compare(bench, chosen, _settings(bench.config.compare, asked, wishes))
    target = page or bench.project.runs / f"{chosen}#compare" / "compare.html"
    write_text(target, render_page(found))
    if json:
        print_json({**found.model_dump(mode="json"), "page": str(target)})
        return
    console = result_console()
    for table in compare_tables(found):
        console.print(table)
    for curve in found.curves:
        console.print(f"{curve.approach}: {curve.verdict}", soft_wrap=True)
    for note in found.notes:
        console.print(note, style="yellow", soft_wrap=True)
    title = found.recommendation.approach or "nothing: no approach keeps to the wishes"
    console.print(Text.assemble("recommended: ", (title, "bold green")))
    for reason in found.recommendation.reasons:
        console.print(f"  {reason}", soft_wrap=True)
    console.print(f"page: {target}", soft_wrap=True)
    raise typer.Exit(0 if found.recommendation.approach else 1)


def _settings(settings: CompareSettings, asked: Mapping[str, object], wishes: Mapping[str, object]) -> CompareSettings:
    """The config's settings with what the command line says instead.

    Raises:
        ConfigError: a value that cannot be.
    """
    from pydantic import ValidationError

    from hatrack.core.errors import ConfigError

    said = settings.model_dump()
    said |= {key: value for key, value in asked.items() if value is not None}
    said["wishes"] |= {key: value for key, value in wishes.items() if value is not None}
    try:
        return type(settings).model_validate(said)
    except ValidationError as error:
        faults = tuple(f"--{'-'.join(map(str, one['loc'][-1:]))}: {one['msg']}" for one in error.errors())
        raise ConfigError("an option has a value that cannot be", faults=faults, fix="see `hatrack compare --help`") from error
