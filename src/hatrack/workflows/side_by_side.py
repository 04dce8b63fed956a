"""One or two systems on the test rows of an adapter: figures, differences, slices, and every row for the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hatrack.core.aside import aside
from hatrack.core.atomic import write_text
from hatrack.core.lineage import Comparison
from hatrack.data.prepare import Prepared
from hatrack.data.readers.base import open_rows
from hatrack.data.records import Example, RawRow
from hatrack.evaluation.gate import gated_metric
from hatrack.evaluation.metrics.base import Answers, Metric
from hatrack.evaluation.predictions import Predictions, write_predictions
from hatrack.evaluation.scoring import Scored, chosen_metrics, compared, scored
from hatrack.evaluation.slices import Slice, slices
from hatrack.evaluation.systems import expected_answer
from hatrack.workflows.adapt import Workbench
from hatrack.workflows.answerers import Answerer, open_answerer
from hatrack.workflows.pair_page.page import render_pair

__all__ = ["SideBySide", "side_by_side"]

PAGE = "compare.html"


@dataclass(frozen=True)
class SideBySide:
    """What was found.

    ``files``: the predictions of each system, as ``hatrack score`` reads them. ``costs``: of a thousand answers of each, where
    they are billed at a stated price.
    """

    names: tuple[str, ...]
    rows: int
    labels: tuple[str, ...]
    scores: tuple[Scored, ...]
    differences: tuple[Comparison, ...]
    slices: tuple[Slice, ...]
    files: tuple[Path, ...]
    page: Path | None
    costs: tuple[float | None, ...] = ()


def side_by_side(
    bench: Workbench, specs: Sequence[str], name: str, *, by: Sequence[str] = (), page: Path | None = None, key_env: str, list_labels: bool
) -> SideBySide:
    """Let one or two systems answer the test rows of the adapter ``name``, and compare the first with the second.

    Raises:
        EvaluationError: a system cannot answer, or a slice that is none. See ``open_answerer``.
    """
    prepared = bench.prepare(name)
    config, gate, test = bench.adapter(name), bench.config.gate, list(prepared.splits.test)
    answerers = [open_answerer(bench, spec, name, prepared, key_env=key_env, list_labels=list_labels) for spec in specs]
    columns = _columns(bench, name, prepared, test)
    folder = bench.project.runs / f"{name}#eval"
    found, files = [], []
    for answerer in answerers:
        aside(bench.console)(f"{answerer.name}: {len(test)} rows")
        predictions = _answered(answerer, test, columns)
        files.append(folder / f"{_as_file(answerer.name)}.jsonl")
        texts = zip(predictions.ids, predictions.given, predictions.expected, predictions.columns, strict=True)
        write_predictions(files[-1], [{**row, "id": i, "prediction": g, "expected": e} for i, g, e, row in texts])
        found.append(predictions)
    answers = [Answers(one.given, one.expected, prepared.labels, config.answer_schema) for one in found]
    metrics = _decisive_first(chosen_metrics(answers[0], ()), gated_metric(config.task, gate))
    names = tuple(one.name for one in answerers)
    differences: list[Comparison] = []
    if len(found) > 1:
        differences = compared(answers[0], answers[1], metrics, names[1], gate.confidence, config.train.seed)
        page = page or folder / PAGE
        pair, both = (found[0], found[1]), (answers[0], answers[1])
        write_text(page, render_pair((names[0], names[1]), pair, both, metrics[0], differences))
    parts = slices(found[0], metrics[0], metrics[0].rows(answers[0]), by, gate.confidence, config.train.seed) if by else []
    scores = scored(answers[0], metrics, gate.confidence, config.train.seed)
    return SideBySide(
        names, len(test), prepared.labels, tuple(scores), tuple(differences), tuple(parts), tuple(files), page if differences else None,
        tuple(1000 * sum(one.costs) / len(one.costs) if one.costs else None for one in answerers),
    )  # fmt: skip


def _answered(answerer: Answerer, test: Sequence[Example], columns: Sequence[Mapping[str, Any]]) -> Predictions:
    ids = tuple(row.id or f"row-{row.row}" for row in test)
    return Predictions(ids, tuple(answerer.answer(test)), tuple(map(expected_answer, test)), tuple(columns))


def _columns(bench: Workbench, name: str, prepared: Prepared, test: Sequence[Example]) -> list[dict[str, Any]]:
    """All that the file says of each test row, for slices; of documents only what was made of them."""
    config = bench.adapter(name)
    file = config.files.test or config.files.train
    said: dict[int, dict[str, Any]] = {}
    path = bench.project.root / file
    if path.is_file():
        wanted = {row.row for row in test}
        rows = open_rows(path, config.files.format, config.checks.max_row_bytes, config.files.layout)
        said = {row.number: row.columns for row in rows if isinstance(row, RawRow) and row.number in wanted}
    plain = (str, int, float, bool)
    return [{"text": row.text, **{key: value for key, value in said.get(row.row, {}).items() if isinstance(value, plain)}} for row in test]


def _decisive_first(metrics: list[Metric], decisive: str) -> list[Metric]:
    return sorted(metrics, key=lambda metric: metric.name != decisive)


def _as_file(name: str) -> str:
    return "".join(c if c.isalnum() or c in "@._-" else "-" for c in name)
