"""``hatrack train``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hatrack.cli.screen import JsonOption, ProjectOption, print_json, progress_console, result_console

if TYPE_CHECKING:
    from hatrack.workflows.adapt import Workbench


def run(
    names: Annotated[list[str] | None, typer.Argument(help="Adapters of hatrack.yaml; none: all of them.")] = None,
    axolotl: Annotated[Path | None, typer.Option(help="Take over this Axolotl config.yml as hatrack.yaml first.")] = None,
    accept: Annotated[bool, typer.Option("--accept", help="With --axolotl: train in spite of keys that have no counterpart.")] = False,
    search: Annotated[bool, typer.Option("--sweep", help="Try settings first (see `sweep:` in hatrack.yaml); train the best one.")] = False,
    project: ProjectOption = Path("."),
    json: JsonOption = False,
) -> None:
    from hatrack.workflows.adapt import Workbench

    if axolotl is not None:
        from hatrack.workflows.take_over import take_over

        take_over(axolotl, project, progress_console(), accept=accept)
    bench = Workbench.open(project, progress_console())
    chosen = names or list(bench.config.adapters)
    for name in chosen:
        bench.adapter(name)  # a wrong name is refused before the first hour of training
    if search:
        _sweep(bench, chosen, json=json)
        return
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


def _sweep(bench: Workbench, names: list[str], *, json: bool) -> None:
    from hatrack.cli.sweeps import sweep_json, sweep_lines, sweep_table
    from hatrack.cli.tables import report_tables
    from hatrack.workflows.sweep import sweep

    results = []
    for name in names:
        result = sweep(bench, name)
        results.append(result)
        if json:
            continue
        console = result_console()
        for table in (sweep_table(result), *report_tables(result.report)):
            console.print(table)
        console.print(f"{name}@{result.manifest.version}: " + "; ".join(result.report.reasons))
        for line in sweep_lines(result):
            console.print(line, soft_wrap=True, markup=False)
    if json:
        print_json([sweep_json(result) for result in results])
