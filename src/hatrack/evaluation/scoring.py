"""A file of predictions to figures: every metric that applies, each with its interval, and against a second file."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hatrack.core.errors import ConfigError, EvaluationError
from hatrack.core.lineage import Comparison, Score
from hatrack.evaluation.metrics.base import METRICS, Answers, Metric
from hatrack.evaluation.predictions import Predictions
from hatrack.evaluation.statistics import bca_interval, mcnemar_p, permutation_p

__all__ = ["Scored", "answers_of", "chosen_metrics", "compared", "guess_labels", "metrics_of_file", "scored"]

_MOST_LABELS = 200


@dataclass(frozen=True)
class Scored:
    """One metric over a file."""

    metric: Metric
    score: Score


def answers_of(predictions: Predictions, labels: tuple[str, ...], pattern: str | None = None) -> Answers:
    """What metrics look at; columns ``confidence``, ``context`` and ``citations`` are used where every row has them.

    Raises:
        EvaluationError: a confidence that is no share. ConfigError: the pattern is no regular expression.
    """
    if pattern is not None:
        try:
            re.compile(pattern)
        except re.error as error:
            raise ConfigError("the pattern is no regular expression", given=f"{pattern}: {error}", fix="correct --pattern") from error
    columns = predictions.columns
    return Answers(
        predictions.given,
        predictions.expected,
        labels,
        confidences=_confidences(predictions) if _everywhere(predictions, "confidence") else None,
        contexts=[str(row["context"]) for row in columns] if _everywhere(predictions, "context") else None,
        sources=[_listed(row["citations"]) for row in columns] if _everywhere(predictions, "citations") else None,
        pattern=pattern,
    )


def guess_labels(predictions: Predictions) -> tuple[str, ...]:
    """The expected answers as classes, if they look like classes: few, and each short; empty if not.

    At most one in five rows may bring a new one, and none may be longer than eight words.
    """
    found = sorted(set(predictions.expected))
    few = len(found) <= min(_MOST_LABELS, max(2, len(predictions) // 5))
    return tuple(found) if few and all(0 < len(label.split()) <= 8 for label in found) else ()


def chosen_metrics(answers: Answers, names: Sequence[str], own: Sequence[Metric] = ()) -> list[Metric]:
    """The metrics that were asked for, or all that apply.

    Raises:
        ConfigError: no such metric. EvaluationError: one that was asked for does not apply.
    """
    known = {**dict.fromkeys(METRICS.names()), **{metric.name: metric for metric in own}}
    if not names:
        return [metric for name, mine in known.items() if (metric := mine or METRICS.get(name)()).applies(answers)]
    found = []
    for name in names:
        metric = known.get(name) or METRICS.get(name)()
        if not metric.applies(answers):
            raise EvaluationError(
                f"the metric {name} does not apply to these answers",
                given="answers with labels" if answers.labels else "answers in free text",
                allowed=", ".join(one.name for one in chosen_metrics(answers, ())),
                fix="choose another, or give what it needs: docs/metrics.md",
            )
        found.append(metric)
    return found


def metrics_of_file(path: Path) -> list[Metric]:
    """The metrics that a Python file defines: every class in it that is one. The file is run, so it must be your own.

    Raises:
        ConfigError: it cannot be run, or defines no metric.
    """
    spec = importlib.util.spec_from_file_location(f"hatrack_metrics_{path.stem}", path)
    if spec is None or spec.loader is None or not path.is_file():
        raise ConfigError("metrics of one's own stand in a Python file", given=str(path), allowed="a file that ends in .py")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except (ImportError, SyntaxError, NameError, AttributeError, TypeError, ValueError) as error:
        raise ConfigError(
            "the file of metrics cannot be run", given=f"{path}: {error} ({type(error).__name__})", fix="correct it"
        ) from error
    needed = ("name", "right_or_wrong", "higher_is_better", "applies", "rows", "total")
    classes = [one for one in vars(module).values() if isinstance(one, type) and one.__module__ == module.__name__]
    found = [one() for one in classes if all(hasattr(one, attribute) for attribute in needed)]
    if not found:
        raise ConfigError(
            "the file defines no metric", given=str(path), allowed=f"a class with {', '.join(needed)}", fix="docs/metrics.md shows one"
        )
    return found


def scored(answers: Answers, metrics: Sequence[Metric], confidence: float, seed: int) -> list[Scored]:
    """Every metric with its BCa interval; of a single row there is none."""
    found = []
    for metric in metrics:
        rows = metric.rows(answers)
        interval = bca_interval(metric.total, rows, confidence, seed) if len(rows) > 1 else None
        found.append(Scored(metric, Score(value=metric.total(rows), interval=interval)))
    return found


def compared(ours: Answers, theirs: Answers, metrics: Sequence[Metric], name: str, confidence: float, seed: int) -> list[Comparison]:
    """Ours minus theirs on the same rows: interval, and McNemar's or the permutation test's p-value.

    Raises:
        EvaluationError: fewer than two rows.
    """
    found = []
    for metric in metrics:
        a, b = metric.rows(ours), metric.rows(theirs)
        width, both = a.shape[1], np.hstack([a, b])

        def difference(chosen: np.ndarray, metric: Metric = metric, width: int = width) -> float:
            return metric.total(chosen[:, :width]) - metric.total(chosen[:, width:])

        found.append(
            Comparison(
                metric=metric.name,
                base=name,
                difference=difference(both),
                interval=bca_interval(difference, both, confidence, seed),
                p_value=mcnemar_p(a[:, 0], b[:, 0]) if metric.right_or_wrong else permutation_p(metric.total, a, b, seed),
                higher_is_better=metric.higher_is_better,
            )
        )
    return found


def _everywhere(predictions: Predictions, column: str) -> bool:
    return all(row.get(column) is not None for row in predictions.columns)


def _confidences(predictions: Predictions) -> np.ndarray:
    try:
        values = np.array([float(row["confidence"]) for row in predictions.columns])
    except (TypeError, ValueError) as error:
        raise EvaluationError("a confidence is no number", given=str(error), allowed="0 to 1", fix="correct the column") from error
    outside = np.flatnonzero(~((values >= 0) & (values <= 1)))
    if len(outside):
        raise EvaluationError(
            "a confidence lies outside 0 to 1",
            given=f"{predictions.ids[outside[0]]}: {values[outside[0]]:g}",
            allowed="0 to 1",
            fix="divide percentages by 100",
        )
    return values


def _listed(value: object) -> list[str]:
    """Sources as a list, or as text separated by commas or semicolons."""
    if isinstance(value, list | tuple):
        return [str(one) for one in value]
    return [part.strip() for part in re.split(r"[,;]", str(value)) if part.strip()]
