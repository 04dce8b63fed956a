"""``hatrack train``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hatrack.cli.screen import JsonOption, ProjectOption, print_json, progress_console, result_console


def run(
    names: Annotated[list[str] | None, typer.Argument(help="Adapters of hatrack.yaml; none: all of them.")] = None,
    axolotl: Annotated[Path | None, typer.Option(help="Take over this Axolotl config.yml as hatrack.yaml first.")] = None,
    accept: Annotated[bool, typer.Option("--accept", help="With --axolotl: train in spite of keys that have no counterpart.")] = False,
    project: ProjectOption = Path("."),
    json: JsonOption = False,
) -> None:
    from hatrack.training.processes import processes
    from hatrack.workflows.adapt import Workbench

    team = processes()
    with team.watched():
        if axolotl is not None:
            from hatrack.workflows.take_over import take_over

            with team.first():
                take_over(axolotl, project, progress_console(), accept=accept)
        bench = Workbench.open(project, progress_console())
        chosen = names or list(bench.config.adapters)
        for name in chosen:
            bench.adapter(name)  # a wrong name is refused before the first hour of training
        manifests = [bench.train(name, bench.prepare(name)) for name in chosen]
    if json:
        print_json([manifest.model_dump(mode="json") for manifest in manifests])
        return
    for manifest in manifests:
        figures = manifest.training
        result_console().print(
            f"{manifest.name}@{manifest.version}  digest {manifest.digest[:12]}  {figures['seconds']:.0f} s, "
            f"{figures['tokens_per_second']:.0f} tokens/s, validation loss {figures['best_validation_loss']:.3f}\n"
            f"  next: hatrack eval {manifest.name}"
        )
