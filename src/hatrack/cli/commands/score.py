"""``hatrack score``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hatrack.cli.screen import JsonOption, print_json, result_console

if TYPE_CHECKING:
    from hatrack.evaluation.predictions import Predictions


def run(
    file: Annotated[Path, typer.Argument(help="Predictions, one a row: JSONL, CSV, JSON or Parquet.")],
    prediction: Annotated[str, typer.Option("--prediction", help="Column with the answer.")] = "prediction",
    expected: Annotated[str, typer.Option("--expected", help="Column with the right answer.")] = "expected",
    row_id: Annotated[str, typer.Option("--id", help="Column with the row's id.")] = "id",
    gold: Annotated[Path | None, typer.Option("--gold", help="The right answers, if they stand in another file; joined by id.")] = None,
    against: Annotated[Path | None, typer.Option("--against", help="Predictions of another system for the same rows.")] = None,
    metric: Annotated[list[str] | None, typer.Option("--metric", help="Only this metric; can be repeated.")] = None,
    metric_file: Annotated[Path | None, typer.Option("--metric-file", help="A Python file of yours with metrics. It is run.")] = None,
    labels: Annotated[str, typer.Option("--labels", help="All labels, separated by commas; auto looks at the answers; none.")] = "auto",
    pattern: Annotated[str | None, typer.Option("--pattern", help="A regular expression that answers must match.")] = None,
    by: Annotated[str, typer.Option("--by", help="Also for each value of these columns: country,label,length.")] = "",
    page: Annotated[Path | None, typer.Option("--page", help="With --against: write the rows as a page for a browser.")] = None,
    confidence: Annotated[float, typer.Option("--confidence", min=0.5, max=0.999, help="Of the intervals.")] = 0.95,
    json: JsonOption = False,
) -> None:
    from hatrack.cli.scores import comparison_table, score_table, slice_table
    from hatrack.core.errors import ConfigError
    from hatrack.evaluation.predictions import Names, join, read_predictions
    from hatrack.evaluation.scoring import answers_of, chosen_metrics, compared, metrics_of_file, scored
    from hatrack.evaluation.slices import slices

    if page is not None and against is None:
        raise ConfigError("a page shows two systems side by side", given="--page without --against", fix="add --against FILE")
    names = Names(prediction, expected, row_id)
    ours = read_predictions(file, names, gold)
    theirs = None
    if against is not None:
        ours, theirs = join(ours, read_predictions(against, names, gold), (file.name, against.name))
    classes = _labels(labels, ours)
    answers = answers_of(ours, classes, pattern)
    metrics = chosen_metrics(answers, metric or (), metrics_of_file(metric_file) if metric_file else ())
    found = scored(answers, metrics, confidence, _SEED)
    differences = (
        compared(answers, answers_of(theirs, classes, pattern), metrics, against.name, confidence, _SEED) if theirs and against else []
    )
    columns = [one.strip() for one in by.split(",") if one.strip()]
    parts = slices(ours, metrics[0], metrics[0].rows(answers), columns, confidence, _SEED) if columns else []
    if page is not None and theirs is not None and against is not None:
        from hatrack.core.atomic import write_text
        from hatrack.workflows.pair_page.page import render_pair

        both = (answers, answers_of(theirs, classes, pattern))
        write_text(page, render_pair((file.stem, against.stem), (ours, theirs), both, metrics[0], differences))
    if json:
        result: dict[str, Any] = {
            "rows": len(ours),
            "labels": list(classes),
            "scores": {one.metric.name: one.score.model_dump(mode="json") for one in found},
        }
        if differences:
            result["against"] = [one.model_dump(mode="json") for one in differences]
        if parts:
            result["slices"] = [
                {"column": p.column, "value": p.value, "rows": p.rows, "score": p.score.model_dump(mode="json"), "p": p.p, "small": p.small}
                for p in parts
            ]
        print_json(result)
        return
    console = result_console()
    console.print(score_table(file.name, len(ours), classes, found, confidence))
    if differences:
        console.print(comparison_table(file.name, differences))
    if parts:
        console.print(slice_table(metrics[0].name, parts))
    if page is not None:
        console.print(f"page: {page}", soft_wrap=True)


_SEED = 13


def _labels(said: str, predictions: Predictions) -> tuple[str, ...]:
    """The classes: as said, or as the expected answers look.

    Raises:
        EvaluationError: an expected answer is none of the labels that were said.
    """
    from hatrack.core.errors import EvaluationError
    from hatrack.evaluation.scoring import guess_labels

    if said == "none":
        return ()
    if said == "auto":
        return guess_labels(predictions)
    labels = tuple(one.strip() for one in said.split(",") if one.strip())
    strange = sorted(set(predictions.expected) - set(labels))
    if strange:
        raise EvaluationError(
            "an expected answer is none of the labels",
            given=", ".join(strange[:5]),
            allowed=", ".join(labels),
            fix="name all labels with --labels, or leave it out",
        )
    return labels
