"""A window of requests against the reference of a version: every test, corrected for being many, and the verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from hatrack.core.errors import EvaluationError
from hatrack.evaluation.drift.sample import Sample
from hatrack.evaluation.drift.two_samples import adjusted, centroid_test, chi_squared, ks_test, psi, psi_of_counts

__all__ = ["DriftReport", "DriftTest", "compare"]

FEWEST = 30
_SEED = 13


class DriftTest(BaseModel):
    """One thing that may have drifted."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    what: str
    test: str
    statistic: float
    p_value: float = Field(description="As the test gives it.")
    adjusted: float = Field(description="Corrected for the other tests.")
    psi: float | None = Field(description="Size of the change: under 0.1 little, over 0.25 much; None for embeddings.")
    drifted: bool
    before: str
    now: str


class DriftReport(BaseModel):
    """A window against the reference."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["hatrack.drift/1"] = "hatrack.drift/1"
    subject: str
    reference: int
    window: int
    alpha: float
    correction: str
    tests: tuple[DriftTest, ...]

    @property
    def drifted(self) -> bool:
        """Whether anything did."""
        return any(test.drifted for test in self.tests)


def compare(reference: Sample, window: Sample, subject: str, alpha: float, correction: str) -> DriftReport:
    """Run every test for which both samples have values.

    Raises:
        EvaluationError: too few requests to say anything, or vectors of two encoders.
    """
    for name, sample in (("window", window), ("reference", reference)):
        if len(sample.lengths) < FEWEST:
            raise EvaluationError(
                f"the {name} has too few requests to say anything",
                given=f"{len(sample.lengths)} requests",
                allowed=f"{FEWEST} or more",
                fix="wait until more are logged (watch.log_requests: true)" if name == "window" else "make the reference of more data",
            )
    if reference.embedder != window.embedder:
        raise EvaluationError(
            "the reference was made with another embedder",
            given=reference.embedder[:12],
            allowed=window.embedder[:12],
            fix="make it again: hatrack drift NAME --reference",
        )
    found = [*_inputs(reference, window), *_outputs(reference, window)]
    corrected = adjusted([test.p_value for test in found], correction)
    tests = tuple(test.model_copy(update={"adjusted": p, "drifted": p < alpha}) for test, p in zip(found, corrected, strict=True))
    return DriftReport(
        subject=subject, reference=len(reference.lengths), window=len(window.lengths), alpha=alpha, correction=correction, tests=tests
    )


def _inputs(reference: Sample, window: Sample) -> list[DriftTest]:
    distance, p = centroid_test(reference.vectors, window.vectors, _SEED)
    half = len(reference.vectors) // 2
    centre = reference.vectors[:half].mean(axis=0)  # points that made a centre lie nearer to it: the others are compared
    spreads = [np.linalg.norm(vectors - centre, axis=1).astype(float) for vectors in (reference.vectors[half:], window.vectors)]
    inner = f"{np.linalg.norm(reference.vectors.mean(axis=0)):.3f}"
    return [
        _made("content", "centroids, permutation", distance, p, None, f"length of the mean {inner}", f"moved by {distance:.3f}"),
        _by_ks("spread of content", spreads[0], spreads[1], digits=3),
        _by_ks("length", reference.lengths, window.lengths),
        _by_counts("language", reference.languages, window.languages),
    ]


def _outputs(reference: Sample, window: Sample) -> list[DriftTest]:
    tests = []
    if reference.labels and window.labels:
        tests.append(_by_counts("label", reference.labels, window.labels))
    if min(len(reference.confidences), len(window.confidences)) >= FEWEST:
        tests.append(_by_ks("confidence", reference.confidences, window.confidences, digits=2))
    return tests


def _by_ks(what: str, before: np.ndarray, now: np.ndarray, digits: int = 0) -> DriftTest:
    statistic, p = ks_test(before, now)
    medians = [f"median {np.median(values):.{digits}f}" for values in (before, now)]
    return _made(what, "Kolmogorov-Smirnov", statistic, p, psi(before, now), *medians)


def _by_counts(what: str, before: Mapping[str, int], now: Mapping[str, int]) -> DriftTest:
    counts = [dict(one) for one in (before, now)]
    statistic, p = chi_squared(*counts)
    return _made(what, "chi-squared", statistic, p, psi_of_counts(*counts), *(_most(one) for one in counts))


def _most(counts: dict[str, int]) -> str:
    total = max(1, sum(counts.values()))
    first: Sequence[tuple[str, int]] = sorted(counts.items(), key=lambda item: -item[1])[:3]
    return ", ".join(f"{name} {count / total:.0%}" for name, count in first)


def _made(what: str, test: str, statistic: float, p: float, size: float | None, before: str, now: str) -> DriftTest:
    return DriftTest(what=what, test=test, statistic=statistic, p_value=p, adjusted=p, psi=size, drifted=False, before=before, now=now)
