"""``hatrack route``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hatrack.cli.screen import JsonOption, ProjectOption, print_json, progress_console, result_console


def run(
    text: Annotated[str | None, typer.Argument(help="The request; with --learn, the adapter to learn (none: all of them).")] = None,
    learn: Annotated[bool, typer.Option("--learn", help="Learn from each adapter's data what its requests are about.")] = False,
    model: Annotated[str, typer.Option(help="The adapter that the request names; auto: none.")] = "auto",
    tenant: Annotated[str, typer.Option(help="The tenant whose request it is.")] = "",
    country: Annotated[str | None, typer.Option(help="The request's country, as FR.")] = None,
    attribute: Annotated[list[str] | None, typer.Option(help="Another attribute of the request, NAME=VALUE; may be repeated.")] = None,
    project: ProjectOption = Path("."),
    json: JsonOption = False,
) -> None:
    if learn:
        _learn(text, project, json)
    else:
        _explain(text or "", model, tenant, {**_pairs(attribute or []), **({"country": country} if country else {})}, project, json)


def _explain(text: str, model: str, tenant: str, attributes: dict[str, str], project: Path, json: bool) -> None:
    from rich.table import Table
    from rich.text import Text

    from hatrack.answering.decision import Wanted
    from hatrack.answering.route import Router
    from hatrack.core.config_file import read_config
    from hatrack.core.project import Project
    from hatrack.registry.store import Registry

    config, place = read_config(project), Project(project.absolute())
    router = Router.of(config, place, Registry(place))
    decision = router.route(text, Wanted(model, tenant, None, attributes))
    if json:
        print_json(decision.as_dict())
        return
    console = result_console()
    version = f"@{decision.version}" if decision.version else ""
    console.print(Text.assemble((f"{decision.adapter}{version}", "bold"), f"  by {decision.rule}: {decision.reason}"))
    if decision.scores:
        table = Table()
        table.add_column("adapter")
        for heading in ("similarity", "needed"):
            table.add_column(heading, justify="right")
        table.add_column("")
        for score in decision.scores:
            chosen = decision.rule == "content" and score.adapter == decision.adapter
            note = "chosen" if chosen else "near enough, another is nearer" if score.accepted else "not near enough"
            row = (score.adapter, f"{score.similarity:.3f}", f"{score.threshold:.3f}", note)
            table.add_row(*row, style="bold" if chosen else "")
        console.print(table)


def _learn(name: str | None, project: Path, json: bool) -> None:
    from dataclasses import asdict

    from rich.table import Table

    from hatrack.core.errors import AdapterNotFound
    from hatrack.workflows.adapt import Workbench
    from hatrack.workflows.route_content import learn_content

    bench = Workbench.open(project, progress_console())
    registered = [adapter for adapter in bench.config.adapters if adapter in bench.registry.names()]
    if not registered:
        names = ", ".join(bench.config.adapters)
        raise AdapterNotFound("no adapter has a version yet", given=names, allowed="trained adapters", fix="run `hatrack adapt` first")
    if name:
        bench.adapter(name)
    learned = learn_content(bench, [name] if name else registered)
    if json:
        shares = ("centroids", "tested", "found", "lost")
        print_json(
            [
                {"adapter": one.manifest.name, "version": one.manifest.version}
                | asdict(one.figures)
                | {share: getattr(one, share) for share in shares}
                for one in learned
            ]
        )
        return
    table = Table(title="what each adapter's requests are about", title_justify="left")
    table.add_column("version")
    for heading in ("centroids", "needs similarity", "own kept", "foreign kept away", "tests", "found", "to nobody", "to another"):
        table.add_column(heading, justify="right")
    for one in learned:
        figures = one.figures
        table.add_row(
            f"{one.manifest.name}@{one.manifest.version}",
            str(one.centroids),
            f"{figures.threshold:.2f}",
            f"{figures.kept:.0%} of {figures.own}",
            f"{figures.sent_away:.0%} of {figures.foreign}",
            str(one.tested),
            f"{one.found:.0%}",
            f"{one.lost:.0%}",
            f"{max(0.0, 1 - one.found - one.lost):.0%}",
        )
    result_console().print(table)
    result_console().print('next: hatrack route "a request"', style="dim")


def _pairs(texts: list[str]) -> dict[str, str]:
    from hatrack.core.errors import ConfigError

    pairs = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise ConfigError("an attribute is a name and a value", given=f"--attribute {text}", allowed="NAME=VALUE, as language=fr")
        pairs[name.strip().lower()] = value.strip()
    return pairs
