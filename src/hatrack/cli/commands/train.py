"""``hatrack train``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hatrack.cli.screen import JsonOption, ProjectOption, print_json, progress_console, result_console

if TYPE_CHECKING:
    from hatrack.core.lineage import Manifest
    from hatrack.workflows.adapt import Workbench


def run(
    names: Annotated[list[str] | None, typer.Argument(help="Adapters of hatrack.yaml; none: all of them.")] = None,
    axolotl: Annotated[Path | None, typer.Option(help="Take over this Axolotl config.yml as hatrack.yaml first.")] = None,
    accept: Annotated[bool, typer.Option("--accept", help="With --axolotl: train in spite of keys that have no counterpart.")] = False,
    provider: Annotated[str | None, typer.Option(help="Train there instead of here: openai. Sends the rows; costs money.")] = None,
    endpoint: Annotated[str | None, typer.Option(help="With --provider: another address than provider.base_url.")] = None,
    again: Annotated[bool, typer.Option("--again", help="With --provider: pay for the same job once more.")] = False,
    cancel: Annotated[bool, typer.Option("--cancel", help="With --provider: end the running job instead.")] = False,
    search: Annotated[bool, typer.Option("--sweep", help="Try settings first (see `sweep:` in hatrack.yaml); train the best one.")] = False,
    project: ProjectOption = Path("."),
    json: JsonOption = False,
) -> None:
    from hatrack.core.errors import ConfigError
    from hatrack.training.processes import processes
    from hatrack.workflows.adapt import Workbench

    if provider is None and (endpoint or again or cancel):
        raise ConfigError(
            "--endpoint, --again and --cancel are for hosted training", given="no --provider", allowed="--provider openai", fix="add it"
        )
    team = processes()
    with team.watched():
        if axolotl is not None:
            from hatrack.workflows.take_over import take_over

            with team.first():
                take_over(axolotl, project, progress_console(), accept=accept)
        bench = Workbench.open(project, progress_console())
        chosen = names or list(bench.config.adapters)
        for name in chosen:
            if bench.adapter(name).hosted and (search or provider):  # a wrong name is refused before the first hour of training
                raise ConfigError(
                    f"nothing is trained for {name}: a hosted model answers", given="--provider" if provider else "--sweep",
                    allowed="adapters without the key hosted", fix=f"run `hatrack train {name}` alone",
                )  # fmt: skip
        if provider is None and not search:
            prepared = bench.prepare_all(chosen)
            manifests = [bench.make(name, prepared.pop(name, None)) for name in chosen]
    if search:
        _sweep(bench, chosen, json=json)
        return
    if provider is not None:
        manifests = _hosted(bench, chosen, provider, endpoint, again=again, cancel=cancel, json=json)
        if cancel:
            return
    if json:
        print_json([manifest.model_dump(mode="json") for manifest in manifests])
        return
    for manifest in manifests:
        result_console().print(f"{manifest.name}@{manifest.version}  digest {manifest.digest[:12]}  {_figures(manifest)}")
        measured = bench.adapter(manifest.name).data is not None
        result_console().print(f"  next: hatrack {'eval' if measured else 'ask'} {manifest.name}")


def _figures(manifest: Manifest) -> str:
    from hatrack.core.config_provider import host_of

    figures = manifest.training
    if manifest.hosted and not figures:
        return f"answered by {manifest.hosted.model} at {host_of(manifest.hosted.base_url)}; nothing was trained, nothing was sent"
    if manifest.hosted:
        tokens = manifest.hosted.trained_tokens
        billed = "" if tokens is None else f", {tokens:,} trained tokens"
        return f"{figures['seconds']:.0f} s{billed}; the weights stay at {host_of(manifest.hosted.base_url)}: {manifest.hosted.model}"
    return f"{figures['seconds']:.0f} s, {figures['tokens_per_second']:.0f} tokens/s, validation loss {figures['best_validation_loss']:.3f}"


def _hosted(
    bench: Workbench, chosen: list[str], provider: str, endpoint: str | None, *, again: bool, cancel: bool, json: bool
) -> list[Manifest]:
    """Train at a provider, or end what runs there."""
    from hatrack.workflows.hosted import HostedTraining

    hosted = HostedTraining(bench, provider, endpoint)
    if cancel:
        states = [(name, hosted.cancel(name)) for name in chosen]
        if json:
            print_json([{"adapter": name, "job": state.id, "status": state.status} for name, state in states])
        for name, state in [] if json else states:
            result_console().print(f"{name}: job {state.id} is {state.status}")
        return []
    for name in chosen:
        hosted.check(name)
    return [hosted.train(name, again=again) for name in chosen]


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
            console.print(line, soft_wrap=True)
    if json:
        print_json([sweep_json(result) for result in results])
