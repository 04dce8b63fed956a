"""``hatrack eval``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hatrack.cli.screen import JsonOption, ProjectOption, print_json, progress_console, result_console
from hatrack.core.names import BASE

if TYPE_CHECKING:
    from hatrack.core.lineage import Manifest
    from hatrack.workflows.adapt import Workbench


def run(
    reference: Annotated[str, typer.Argument(help="NAME (its newest version), NAME@VERSION, base, or URL#MODEL.")],
    against: Annotated[str | None, typer.Option("--against", help="Put it beside another system, row by row: as REFERENCE.")] = None,
    on: Annotated[str | None, typer.Option("--on", help="The adapter whose test rows are asked; for base and URL#MODEL.")] = None,
    by: Annotated[str, typer.Option("--by", help="Also for each value of these columns: country,label,length.")] = "",
    page: Annotated[Path | None, typer.Option("--page", help="With --against: where the page of all rows is written.")] = None,
    key_env: Annotated[str, typer.Option("--key-env", help="For URL#MODEL: the environment variable with its key.")] = "OPENAI_API_KEY",
    list_labels: Annotated[bool, typer.Option("--list-labels", help="For URL#MODEL: tell it all labels.")] = False,
    int8: Annotated[bool, typer.Option("--int8", help="Measure what serving in 8 bits changes, and keep that with the version.")] = False,
    general: Annotated[
        bool, typer.Option("--general", help="Measure what general ability it kept, and keep that with the version.")
    ] = False,
    project: ProjectOption = Path("."),
    json: JsonOption = False,
) -> None:
    from hatrack.cli.tables import report_tables
    from hatrack.workflows.adapt import Workbench

    bench = Workbench.open(project, progress_console())
    if against is not None or on is not None or by or reference == BASE or "://" in reference:
        _beside(bench, [reference, *([against] if against else [])], on, by, page, key_env, list_labels=list_labels, json=json)
        return
    manifest = bench.registry.resolve(reference if "@" in reference else f"{reference}@latest")
    if int8:
        _int8(bench, manifest, json=json)
        return
    if general:
        _general(bench, manifest, json=json)
    report = bench.evaluate(manifest, bench.prepare(manifest.name), again=True)
    if json:
        print_json(report.model_dump(mode="json"))
    else:
        console = result_console()
        for table in report_tables(report):
            console.print(table)
        for reason in report.reasons:
            console.print(f"  {reason}")
        next_step = (
            f"next: hatrack promote {manifest.name}@{manifest.version}"
            if report.passed
            else "It does not beat the base; it can not be promoted."
        )
        console.print(next_step, style="green" if report.passed else "red")
    raise typer.Exit(0 if report.passed else 1)


def _beside(
    bench: Workbench, specs: list[str], on: str | None, by: str, page: Path | None, key_env: str, *, list_labels: bool, json: bool
) -> None:
    from dataclasses import asdict

    from hatrack.cli.scores import comparison_table, score_table, slice_table
    from hatrack.core.errors import ConfigError
    from hatrack.workflows.side_by_side import side_by_side

    own = [spec.partition("@")[0] for spec in specs if spec != BASE and "://" not in spec]
    name = on or (own[0] if own else next(iter(bench.config.adapters)) if len(bench.config.adapters) == 1 else None)
    if name is None:
        raise ConfigError("on whose test rows?", given=" and ".join(specs), allowed=", ".join(bench.config.adapters), fix="add --on NAME")
    columns = [one.strip() for one in by.split(",") if one.strip()]
    found = side_by_side(bench, specs, name, by=columns, page=page, key_env=key_env, list_labels=list_labels)
    if json:
        scores = {one.metric.name: one.score.model_dump(mode="json") for one in found.scores}
        differences = [one.model_dump(mode="json") for one in found.differences]
        parts = [{**asdict(one), "score": one.score.model_dump(mode="json")} for one in found.slices]
        files = {one: str(file) for one, file in zip(found.names, found.files, strict=True)}
        shown = {
            "systems": list(found.names),
            "cost_thousand": list(found.costs),
            "rows": found.rows,
            "scores": scores,
            "against": differences,
            "slices": parts,
        }
        print_json({**shown, "files": files, "page": str(found.page) if found.page else None})
        return
    console = result_console()
    console.print(score_table(found.names[0], found.rows, found.labels, found.scores, bench.config.gate.confidence))
    if found.differences:
        console.print(comparison_table(found.names[0], found.differences))
    if found.slices:
        console.print(slice_table(found.scores[0].metric.name, found.slices))
    for one, cost in zip(found.names, found.costs, strict=True):
        if cost is not None:
            console.print(f"1,000 answers of {one} cost {cost:.4g} at the stated price", soft_wrap=True)
    for one, file in zip(found.names, found.files, strict=True):
        console.print(f"answers of {one}: {file}", soft_wrap=True)
    if found.page:
        console.print(f"page: {found.page}", soft_wrap=True)


def _int8(bench: Workbench, manifest: Manifest, *, json: bool) -> None:
    from hatrack.workflows.precision import measure_int8

    record = measure_int8(bench, manifest, bench.prepare(manifest.name))
    if json:
        print_json(record.model_dump(mode="json"))
        return
    limit = bench.config.serve.max_int8_loss
    kept = record.loss <= limit
    console = result_console()
    console.print(
        f"{manifest.name}@{manifest.version} on {record.rows} test rows: {record.metric} {record.full:.3f} in full precision, "
        f"{record.int8:.3f} in 8 bits (95 % interval of the change {record.low:+.3f} to {record.high:+.3f}); "
        f"{record.same:.0%} of the answers are the same",
        soft_wrap=True,
    )
    verdict = "served in 8 bits" if kept else "served in full precision, one adapter at a time"
    console.print(f"  {verdict}: the limit is a loss of {limit:g} (serve.max_int8_loss)", style="green" if kept else "yellow")


def _general(bench: Workbench, manifest: Manifest, *, json: bool) -> None:
    from hatrack.workflows.general import check_general

    report = check_general(bench, manifest)
    tolerated = bench.config.gate.tolerated("general")
    losses = report.losses(tolerated)
    if json:
        print_json(report.model_dump(mode="json"))
    else:
        from hatrack.cli.checked import print_check

        console = result_console()
        print_check(console, report, tolerated)
        for sentence in losses:
            console.print(sentence, style="red")
        if not losses:
            console.print(f"nothing general fell by more than {tolerated:g} for sure (gate.tolerate)", style="green")
    raise typer.Exit(1 if losses else 0)
