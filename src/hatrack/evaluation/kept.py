"""What an adapter that was made from another still does of that one's job: both on that one's rows, asked the same way."""

from __future__ import annotations

from collections.abc import Sequence

from hatrack.core.config import GateRules
from hatrack.core.lineage import Kept
from hatrack.core.names import BASE
from hatrack.data.records import Example
from hatrack.evaluation.gate import gated_metric
from hatrack.evaluation.likelihood import LIKELIHOOD_TASKS, likelihoods
from hatrack.evaluation.metrics.base import METRICS, Answers, Metric
from hatrack.evaluation.scoring import compared, scored
from hatrack.evaluation.systems import adapter_answers, expected_answer
from hatrack.models.host import ModelHost

__all__ = ["measure_kept"]


def measure_kept(
    host: ModelHost, key: str, parent: str, name: str, test: Sequence[Example], test_digest: str, rules: GateRules, seed: int
) -> Kept:
    """Compare the attached adapter ``key`` with the attached adapter ``parent`` that it was made from.

    The parent's card says how both are asked: its task, system prompt, labels and length. The base answers nothing here.

    Args:
        name: of the parent, NAME@VERSION.
        test: test rows of the parent; ``test_digest`` is theirs.

    Raises:
        EvaluationError: fewer than two rows.
    """
    ours, theirs = _answers(host, key, parent, test), _answers(host, parent, parent, test)
    task = host.adapters[parent].card.task
    metric = _metric(task, ours, rules)
    [difference] = compared(ours, theirs, [metric], name, rules.confidence, seed)
    (score,), (parent_score,) = (scored(side, [metric], rules.confidence, seed) for side in (ours, theirs))
    return Kept(
        parent=name,
        parent_digest=parent,
        test_digest=test_digest,
        rows=len(test),
        task=task,
        score=score.score,
        parent_score=parent_score.score,
        comparison=difference,
    )


def _answers(host: ModelHost, key: str, parent: str, test: Sequence[Example]) -> Answers:
    card, expected = host.adapters[parent].card, tuple(map(expected_answer, test))
    if card.task not in LIKELIHOOD_TASKS:
        return Answers(adapter_answers(host, key, test, card), expected, card.labels, card.answer_schema)
    # What both gained is gained over the base: over the parent itself, any step back would look like a loss of everything.
    reference = likelihoods(host, BASE, card, test) if card.task == "prefer" else None
    return Answers(("",) * len(test), expected, likelihoods=likelihoods(host, key, card, test), reference=reference)


def _metric(task: str, answers: Answers, rules: GateRules) -> Metric:
    """The gate's metric, where it means anything for the parent's task; else the first of that task."""
    wanted = METRICS.get(gated_metric(task, rules))()
    return wanted if wanted.applies(answers) else METRICS.get(gated_metric(task, GateRules()))()
