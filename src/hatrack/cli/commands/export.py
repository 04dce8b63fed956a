"""``hatrack export``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hatrack.cli.screen import JsonOption, ProjectOption, print_json, progress_console, result_console


def run(
    reference: Annotated[str, typer.Argument(help="What leaves: NAME, NAME@VERSION, NAME@ALIAS, or base.")],
    to: Annotated[
        str, typer.Option("--to", help="The format: peft, merged, gguf, gguf-adapter, ollama, vllm; of encoders: onnx, folder, peft.")
    ],
    out: Annotated[Path, typer.Option("--out", help="The folder to write; an earlier export there is replaced.")],
    precision: Annotated[
        list[str] | None, typer.Option("--precision", help="gguf, ollama: F16, Q8_0, Q4_0, ...; onnx: FP32, INT8. May be repeated.")
    ] = None,
    base_id: Annotated[str | None, typer.Option(help="How the files name the base, where it has another name outside.")] = None,
    license: Annotated[str, typer.Option(help="The licence for the model card; default: the base's, as its files say.")] = "",
    rows: Annotated[int, typer.Option(min=0, help="Test rows to ask of the written files, at most; 0: none.")] = 200,
    max_drop: Annotated[
        float | None,
        typer.Option(min=0, help="Refuse any part that loses more of the metric; default: 0.01 in full precision, no limit in fewer bits."),
    ] = None,
    project: ProjectOption = Path("."),
    json: JsonOption = False,
) -> None:
    from hatrack.cli.exported import export_table
    from hatrack.workflows.adapt import Workbench
    from hatrack.workflows.export.run import Wish, export

    bench = Workbench.open(project, progress_console())
    record = export(bench, reference, Wish(to, out, tuple(precision or ()), base_id, license, rows, max_drop))
    if json:
        print_json(record.model_dump(mode="json"))
        return
    console = result_console()
    console.print(f"{record.adapter} as {record.format}: {out}")
    console.print(export_table(record))
    if record.not_measured:
        console.print(f"  not measured on test rows: {record.not_measured}", style="yellow")
    console.print(f"  how to use it: {out / 'README.md'}")
