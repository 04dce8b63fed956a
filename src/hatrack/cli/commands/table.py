"""``hatrack table``: train, predict, explain, compare, stream."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from hatrack.cli.screen import JsonOption, ProjectOption, print_json, progress_console, result_console
from hatrack.cli.table_stream import stream
from hatrack.core.aside import aside

NameArgument = Annotated[str, typer.Argument(help="The table's name in hatrack.yaml.")]
ReferenceArgument = Annotated[str, typer.Argument(help="NAME (its champion, else its newest version) or NAME@VERSION.")]
FileArgument = Annotated[Path, typer.Argument(help="Rows to work on: CSV, Parquet or JSONL.")]
HistoryOption = Annotated[Path | None, typer.Option(help="A file of earlier rows, for windows that look back.")]


def train(name: NameArgument, project: ProjectOption = Path("."), json: JsonOption = False) -> None:
    from hatrack.cli.tabular_screens import fairness_table, figures_table
    from hatrack.workflows.table_project import TableProject
    from hatrack.workflows.table_train import train_table

    progress = progress_console()
    at = TableProject.open(project, name, aside(progress))
    made = train_table(at, aside(progress))
    if json:
        print_json({"manifest": made.manifest.model_dump(mode="json"), "report": made.report.model_dump(mode="json")})
        return
    console, card = result_console(), made.fitted.model.card
    version = f"{made.manifest.name}@{made.manifest.version}"
    console.print(figures_table(made.report, {"adapter": made.fitted.seconds}, version))
    if made.rates and card.decision:
        console.print(fairness_table(made.rates, card.decision.classes[1]))
    for reason in made.report.reasons:
        console.print(reason, style="yellow" if reason.startswith("warning") else "")
    next_step = f"hatrack promote {version}" if made.report.passed else "not proven: it cannot be promoted"
    console.print(f"next: {next_step}" if made.report.passed else next_step)


def predict(
    name: ReferenceArgument,
    file: FileArgument,
    out: Annotated[Path | None, typer.Option(help="Write CSV here instead of printing it.")] = None,
    history: HistoryOption = None,
    project: ProjectOption = Path("."),
    json: JsonOption = False,
) -> None:
    from hatrack.cli.tabular_rows import opened
    from hatrack.core.atomic import write_text

    model, table = opened(project, name, file, history)
    prediction = model.predict(table)
    answers = [{"row": row, **answer} for row, answer in zip(table.numbers, model.answers(prediction), strict=True)]
    notes = [{"row": note.row, "column": note.column, "note": note.note} for note in prediction.notes]
    console = progress_console()
    for note in prediction.notes[:5]:
        console.print(f"row {note.row}, column {note.column}: {note.note}", style="yellow")
    if len(notes) > 5:
        console.print(f"... and {len(notes) - 5} more cells like these", style="yellow")
    if json:
        print_json({"predictions": answers, "notes": notes})
        return
    text = _csv(answers)
    if out is None:
        typer.echo(text, nl=False)
    else:
        write_text(out, text)
        console.print(f"{len(answers):,} predictions in {out}")


def explain(
    name: ReferenceArgument,
    file: Annotated[Path | None, typer.Argument(help="Rows to explain; none: the model as a whole, on its test rows.")] = None,
    row: Annotated[list[int] | None, typer.Option(help="Number of a row in the file; several times. Default: the first.")] = None,
    most: Annotated[int, typer.Option(min=1, help="How many reasons to show.")] = 6,
    plots: Annotated[Path | None, typer.Option(help="Write pictures (PNG) into this folder.")] = None,
    history: HistoryOption = None,
    project: ProjectOption = Path("."),
    json: JsonOption = False,
) -> None:
    if file is None:
        _explain_model(name, most, plots, project, json)
        return
    from hatrack.cli.tabular_rows import chosen_rows, opened
    from hatrack.cli.tabular_screens import reasons_table
    from hatrack.tabular.explaining.counterfactual import counterfactuals
    from hatrack.tabular.explaining.reasons import explain_rows

    model, whole = opened(project, name, file, history)
    table = chosen_rows(whole, row)
    found, changes = explain_rows(model, table), counterfactuals(model, table)
    if plots is not None:
        from hatrack.workflows.table_plots import plot_reasons

        for one in found:
            progress_console().print(f"{plot_reasons(one, plots)}")
    if json:
        print_json(
            [
                {
                    "row": one.row,
                    **one.as_dict(),
                    "changes": [[{"column": c.column, "now": c.now, "instead": c.instead} for c in change] for change in sets],
                }
                for one, sets in zip(found, changes, strict=True)
            ]
        )
        return
    for one, sets in zip(found, changes, strict=True):
        result_console().print(reasons_table(one, most, sets))


def compare(
    name: NameArgument,
    models: Annotated[list[str] | None, typer.Argument(help="Kinds of models; none: all of them.")] = None,
    project: ProjectOption = Path("."),
    json: JsonOption = False,
) -> None:
    from hatrack.cli.tabular_screens import figures_table
    from hatrack.workflows.table_project import TableProject
    from hatrack.workflows.table_train import compare_models

    progress = progress_console()
    at = TableProject.open(project, name, aside(progress))
    found = compare_models(at, models or [], aside(progress))
    if json:
        print_json({"report": found.report.model_dump(mode="json"), "seconds": found.seconds})
        return
    result_console().print(figures_table(found.report, found.seconds, name))
    result_console().print("nothing was registered; set `model` and run `hatrack table train`", style="dim")


PARTS = {
    "train": (train, "Fit, register and measure a model."),
    "predict": (predict, "Predict every row of a file."),
    "explain": (explain, "Say why: of single rows, or of the whole model."),
    "compare": (compare, "Train all kinds of models side by side."),
    "stream": (
        stream,
        "Learn from new rows in order of time: drift is flagged, and what has learned becomes a new version. The version that "
        "serves is not touched until you promote the new one.",
    ),
}


def _explain_model(name: str, most: int, plots: Path | None, project: Path, json: bool) -> None:
    from rich.table import Table as Screen

    from hatrack.workflows.table_explain import explain_model

    found = explain_model(project, name, plots)
    if json:
        print_json(found.as_dict())
        return
    screen = Screen(title=f"{found.version}: what counts, on {found.rows:,} test rows", title_justify="left")
    screen.add_column("column")
    for heading in (f"mean |SHAP| ({found.unit})", f"fall of {found.metric} when shuffled"):
        screen.add_column(heading, justify="right")
    for one in found.columns[:most]:
        screen.add_row(one.column, f"{one.contribution:.4f}", f"{one.fall:+.4f} ± {one.deviation:.4f}")
    result_console().print(screen)
    for path in found.plots:
        result_console().print(str(path))


def _csv(answers: list[dict[str, Any]]) -> str:
    import csv
    import io

    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    for place, answer in enumerate(answers):
        flat = {key: value for key, value in answer.items() if key != "probabilities"}
        flat |= {f"p({label})": f"{share:.6f}" for label, share in answer.get("probabilities", {}).items()}
        if not place:
            writer.writerow(flat)
        writer.writerow(flat.values())
    return stream.getvalue()
