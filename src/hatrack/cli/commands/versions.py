"""``hatrack versions``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hatrack.cli.screen import JsonOption, ProjectOption, print_json, result_console


def run(
    name: Annotated[str | None, typer.Argument(help="One adapter; none: all of them.")] = None,
    project: ProjectOption = Path("."),
    json: JsonOption = False,
) -> None:
    from rich.table import Table

    from hatrack.core.config_file import read_config
    from hatrack.core.config_provider import host_of
    from hatrack.core.lineage import TABLE
    from hatrack.core.project import Project
    from hatrack.registry.store import Registry

    read_config(project)
    registry = Registry(Project(project.absolute()))
    rows = []
    for adapter in [name] if name else [*registry.names(), *registry.names(TABLE)]:
        aliases = registry.aliases(adapter)
        for manifest in registry.versions(adapter):
            named = sorted(alias for alias, version in aliases.items() if version == manifest.version)
            rows.append((manifest, named, registry.report(manifest)))
    if json:
        print_json(
            [
                {**m.model_dump(mode="json"), "aliases": named, "report": report.model_dump(mode="json") if report else None}
                for m, named, report in rows
            ]
        )
        return
    table = Table()
    for heading in ("version", "alias", "task", "method", "score", "gain over base", "train rows", "seconds", "digest", "created"):
        table.add_column(heading, overflow="fold")  # a cut name or address cannot be used
    for manifest, named, report in rows:
        gain = report.comparison(report.metric) if report else None
        table.add_row(
            f"{manifest.name}@{manifest.version}",
            ", ".join(named),
            manifest.config["task"],
            manifest.config["method"] + (f" at {host_of(manifest.hosted.base_url)}" if manifest.hosted else ""),
            f"{report.metric} {report.system('adapter').scores[report.metric].value:.3f}" if report else "not evaluated",
            f"{gain.difference:+.3f} ({gain.interval.low:+.3f} to {gain.interval.high:+.3f})" if gain else "",
            f"{manifest.data.rows['train']:,}" if manifest.data.rows else "",
            f"{manifest.training['seconds']:.0f}" if manifest.training else "",
            manifest.digest[:12],
            manifest.created[:16].replace("T", " "),
        )
    console = result_console()
    console.print(table if rows else "No adapter has been trained yet. Next: hatrack adapt")
