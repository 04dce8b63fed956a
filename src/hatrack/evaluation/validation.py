"""One figure for one adapter on rows that are not the test rows: to choose among adapters, not to prove one."""

from __future__ import annotations

from collections.abc import Sequence

from hatrack.core.errors import EvaluationError
from hatrack.data.records import Example
from hatrack.evaluation.metrics.base import METRICS, Answers
from hatrack.evaluation.systems import adapter_answers, expected_answer
from hatrack.models.host import ModelHost

__all__ = ["validation_score"]


def validation_score(host: ModelHost, key: str, rows: Sequence[Example], metric: str) -> float:
    """The metric over the answers of the attached adapter ``key``.

    Raises:
        EvaluationError: the metric says nothing of generated answers.
    """
    card = host.adapters[key].card
    answers = Answers(adapter_answers(host, key, rows), tuple(map(expected_answer, rows)), card.labels, card.answer_schema)
    measure = METRICS.get(metric)()
    if not measure.applies(answers):
        raise EvaluationError(
            "this metric cannot be measured on the answers to the validation rows",
            given=f"{metric}, task {card.task}",
            fix="set sweep.score: loss, or another gate.metric",
        )
    return measure.total(measure.rows(answers))
