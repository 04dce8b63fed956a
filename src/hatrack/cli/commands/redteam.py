"""``hatrack redteam``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hatrack.cli.screen import JsonOption, ProjectOption, print_json, progress_console, result_console

if TYPE_CHECKING:
    from hatrack.core.checks import CheckReport


def run(
    reference: Annotated[str, typer.Argument(help="NAME (its newest version) or NAME@VERSION; with --url, the model's name there.")] = "",
    url: Annotated[str, typer.Option(help="Ask this endpoint instead; it speaks OpenAI's protocol.")] = "",
    key_env: Annotated[str, typer.Option(help="Environment variable that holds the endpoint's key.")] = "OPENAI_API_KEY",
    pack: Annotated[list[str] | None, typer.Option(help="Only this pack, by name or as a YAML file; may be repeated.")] = None,
    least: Annotated[float, typer.Option(help="Without a base: exit with 1 where a pack's score is below this, 0 to 1.")] = 0.0,
    garak: Annotated[Path | None, typer.Option(help="With --url: ask garak's probes instead, with this Python that has garak.")] = None,
    garak_probe: Annotated[list[str] | None, typer.Option(help="Which of garak's probes; default: some that need no hub.")] = None,
    garak_report: Annotated[Path | None, typer.Option(help="Only show a report of garak, a file NAME.report.jsonl.")] = None,
    list_packs: Annotated[bool, typer.Option("--list", help="List the packs and what passing means.")] = False,
    show: Annotated[int, typer.Option(help="Failed probes that are shown.")] = 10,
    project: ProjectOption = Path("."),
    json: JsonOption = False,
) -> None:
    from hatrack.core.errors import ConfigError

    if list_packs:
        _list(json=json)
        return
    if not reference and not garak_report:
        raise ConfigError("what is to be asked?", allowed="NAME, NAME@VERSION, or a model's name with --url", fix="hatrack redteam NAME")
    if not 0 <= least <= 1:
        raise ConfigError("--least is a share", given=f"{least:g}", allowed="0 to 1")
    tolerated = 0.0
    if garak_report or garak:
        report = _garak(garak_report, garak, url, reference, key_env, garak_probe or [], project)
    elif url:
        report = _endpoint(url, reference, key_env, pack or [], project)
    else:
        report, tolerated = _version(reference, pack or [], project)
    losses = report.losses(tolerated)
    low = [group.name for group in report.groups if group.score < least]
    if json:
        print_json(report.model_dump(mode="json"))
    else:
        from hatrack.cli.checked import print_check

        console = result_console()
        print_check(console, report, tolerated, show=show)
        for sentence in (*losses, *(f"{name}: below {least:.0%}" for name in low)):
            console.print(sentence, style="red")
        if not losses and any(group.change for group in report.groups):
            console.print("no pack is passed significantly less than by the base", style="green")
    raise typer.Exit(1 if losses or low else 0)


def _version(reference: str, packs: list[str], project: Path) -> tuple[CheckReport, float]:
    from hatrack.workflows.adapt import Workbench
    from hatrack.workflows.redteam import check_safety

    bench = Workbench.open(project, progress_console())
    manifest = bench.registry.resolve(reference if "@" in reference else f"{reference}@latest")
    prepared = bench.prepare(manifest.name) if manifest.name in bench.with_rows() else None
    return check_safety(bench, manifest, prepared, packs), bench.config.gate.tolerated("safety")


def _endpoint(url: str, model: str, key_env: str, packs: list[str], project: Path) -> CheckReport:
    from hatrack.core.config_file import CONFIG_NAME, read_config
    from hatrack.core.config_safety import SafetySettings
    from hatrack.workflows.redteam import red_team_endpoint

    rules = read_config(project).safety if (project / CONFIG_NAME).exists() else SafetySettings()
    return red_team_endpoint(url, model, key_env, rules, project, packs)


def _garak(report: Path | None, python: Path | None, url: str, model: str, key_env: str, probes: list[str], project: Path) -> CheckReport:
    from hatrack.core.errors import ConfigError
    from hatrack.core.project import Project
    from hatrack.evaluation.garak import read_garak
    from hatrack.workflows.garak import LOCAL_PROBES, run_garak

    if report is not None:
        return read_garak(report, model or report.name)
    if python is None or not url:
        raise ConfigError(
            "garak asks an endpoint", allowed="--url with --garak", fix="start `hatrack serve`, then --url http://127.0.0.1:8000/v1"
        )
    return run_garak(python, url, model, key_env, Project(project.absolute()).state / "garak", probes or LOCAL_PROBES)


def _list(*, json: bool) -> None:
    from rich.table import Table

    from hatrack.safety.probes.pack import built_in_packs, conversations

    packs = built_in_packs()
    rows = [(pack.name, len(list(conversations(pack, packs))), pack.detector, pack.about) for pack in packs.values()]
    if json:
        print_json([{"name": name, "probes": count, "detector": detector, "about": about} for name, count, detector, about in rows])
        return
    table = Table()
    for heading in ("pack", "probes", "detector", "what passing means"):
        table.add_column(heading, justify="right" if heading == "probes" else "left")
    for name, count, detector, about in rows:
        table.add_row(name, str(count), detector, about)
    result_console().print(table)
