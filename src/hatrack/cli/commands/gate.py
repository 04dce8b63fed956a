"""``hatrack gate``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hatrack.cli.screen import JsonOption, ProjectOption, print_json, result_console


def run(
    reference: Annotated[str, typer.Argument(help="NAME (its newest version) or NAME@VERSION.")],
    project: ProjectOption = Path("."),
    json: JsonOption = False,
) -> None:
    from dataclasses import asdict

    from rich.table import Table

    from hatrack.core.config_file import read_config
    from hatrack.core.project import Project
    from hatrack.evaluation.gate import check_rules
    from hatrack.registry.evidence import evidence
    from hatrack.registry.store import Registry

    rules = read_config(project).gate
    check_rules(rules)
    registry = Registry(Project(project.absolute()))
    manifest = registry.resolve(reference if "@" in reference else f"{reference}@latest")
    findings = evidence(registry, manifest, rules)
    passed = all(finding.passed for finding in findings)
    if json:
        rows = [asdict(finding) for finding in findings]
        print_json({"adapter": manifest.name, "version": manifest.version, "digest": manifest.digest, "passed": passed, "rules": rows})
        raise typer.Exit(0 if passed else 1)
    table = Table(title=f"{manifest.name}@{manifest.version} at the gate", title_justify="left")
    for heading in ("rule", "", "what is known"):
        table.add_column(heading)
    for finding in findings:
        known = f"{finding.reason}; run `{finding.fix}`" if finding.fix else finding.reason
        table.add_row(finding.rule, "passed" if finding.passed else "not passed", known, style="green" if finding.passed else "red")
    console = result_console()
    console.print(table)
    console.print(f"next: hatrack promote {manifest.name}@{manifest.version}" if passed else "It can not be promoted.")
    raise typer.Exit(0 if passed else 1)
