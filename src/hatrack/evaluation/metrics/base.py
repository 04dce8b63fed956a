"""Metrics: what is right, for each row, and what that adds up to. Every one works on resampled rows too."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from hatrack.core.plugins import Plugins

__all__ = ["METRICS", "Answers", "Metric", "Rows"]

Rows = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Answers:
    """What one system answered to the test rows, and what would have been right.

    Attributes:
        given: the answers as text, white space at the ends removed.
        expected: the right ones.
        labels: all classes; empty for instruct.
        answer_schema: JSON schema that answers must satisfy, if any.
        likelihoods: ``[n, texts, 2]`` where a system is measured by how likely it finds given texts (one for complete,
            the better and the worse answer for prefer): the log-probability in nats and the number of tokens.
        reference: the same of what the adapter was trained on from: its parent, else the base.
        confidences: ``[n]``, how sure the system said it was, 0 to 1.
        contexts: what the system was given to answer from.
        sources: the names of the sources that each answer should cite.
        pattern: a regular expression that the whole answer must match.
    """

    given: Sequence[str]
    expected: Sequence[str]
    labels: tuple[str, ...] = ()
    answer_schema: dict[str, Any] | None = None
    likelihoods: Rows | None = None
    reference: Rows | None = None
    confidences: Rows | None = None
    contexts: Sequence[str] | None = None
    sources: Sequence[Sequence[str]] | None = None
    pattern: str | None = None


class Metric(Protocol):
    """One figure of merit.

    ``rows`` turns answers into an array ``[n, k]``, ``total`` turns any selection of those rows into the figure: so the
    bootstrap resamples rows without scoring them again.
    """

    name: str
    right_or_wrong: bool  # one 0/1 column: McNemar's test applies
    higher_is_better: bool

    def applies(self, answers: Answers) -> bool:
        """Whether the figure means anything for these answers."""
        ...

    def rows(self, answers: Answers) -> Rows:
        """``[n, k]``: what is known of each row."""
        ...

    def total(self, rows: Rows) -> float:
        """The figure over the given rows."""
        ...


METRICS: Plugins[type[Metric]] = Plugins(
    "metric",
    {
        "accuracy": "hatrack.evaluation.metrics.classification:Accuracy",
        "macro_f1": "hatrack.evaluation.metrics.classification:MacroF1",
        "micro_f1": "hatrack.evaluation.metrics.classification:MicroF1",
        "ece": "hatrack.evaluation.metrics.calibration:CalibrationError",
        "format": "hatrack.evaluation.metrics.format:Format",
        "pattern": "hatrack.evaluation.metrics.format:Pattern",
        "exact_match": "hatrack.evaluation.metrics.overlap:ExactMatch",
        "token_f1": "hatrack.evaluation.metrics.overlap:TokenF1",
        "rouge_l": "hatrack.evaluation.metrics.overlap:RougeL",
        "chrf": "hatrack.evaluation.metrics.overlap:ChrF",
        "numeric": "hatrack.evaluation.metrics.numeric:Numeric",
        "citation_recall": "hatrack.evaluation.metrics.grounding:CitationRecall",
        "groundedness": "hatrack.evaluation.metrics.grounding:Groundedness",
        "perplexity": "hatrack.evaluation.metrics.likelihood:Perplexity",
        "preference_accuracy": "hatrack.evaluation.metrics.likelihood:PreferenceAccuracy",
        "reward_accuracy": "hatrack.evaluation.metrics.likelihood:RewardAccuracy",
    },
)
