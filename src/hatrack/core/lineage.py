"""Frozen records that travel to the right along the journey: what a version is, and what was measured of it."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from hatrack.core.digest import sha256_json

__all__ = [
    "ADAPTER",
    "TABLE",
    "Comparison",
    "DataRecord",
    "EvalReport",
    "HostedWeights",
    "Interval",
    "Kept",
    "Manifest",
    "Score",
    "SystemScores",
    "adapter_digest",
]

ADAPTER: Literal["hatrack.adapter/1"] = "hatrack.adapter/1"
TABLE: Literal["hatrack.table/1"] = "hatrack.table/1"


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Interval(_Record):
    """A two-sided confidence interval."""

    low: float
    high: float
    confidence: float = 0.95


class Score(_Record):
    """One metric of one system on the test rows."""

    value: float
    interval: Interval | None = None


class SystemScores(_Record):
    """Everything measured of one side of a comparison.

    ``latency_p50_ms`` and ``latency_p95_ms`` are of single requests, one after the other, on ``latency_rows`` rows.
    ``prompt_tokens`` and ``answer_tokens`` are means per row.
    """

    name: str
    description: str
    constrained: bool = Field(description="It could only answer with one of the labels; its format says nothing.")
    scores: dict[str, Score]
    latency_p50_ms: float
    latency_p95_ms: float
    latency_rows: int
    prompt_tokens: float
    answer_tokens: float
    cost_thousand: float | None = Field(None, description="Of a thousand such answers by a hosted model, where its price is stated.")


class Comparison(_Record):
    """Adapter minus base, for one metric, on the same rows.

    ``p_value`` is the exact McNemar test where the metric is right-or-wrong for each row, else None.
    """

    metric: str
    base: str
    difference: float
    interval: Interval
    p_value: float | None = None
    higher_is_better: bool = True

    @property
    def least_gain(self) -> float:
        """How much better the adapter is at the worse end of the interval, in the metric's own unit; negative: worse."""
        return self.interval.low if self.higher_is_better else -self.interval.high

    @property
    def most_kept(self) -> float:
        """How much better the adapter is at the better end of the interval; negative: worse for sure."""
        return self.interval.high if self.higher_is_better else -self.interval.low

    @property
    def significant_gain(self) -> bool:
        """The whole interval lies on the better side of zero."""
        return self.interval.low > 0 if self.higher_is_better else self.interval.high < 0

    @property
    def significant_loss(self) -> bool:
        """The whole interval lies on the worse side of zero."""
        return self.interval.high < 0 if self.higher_is_better else self.interval.low > 0


class Kept(_Record):
    """What a version kept of one it was made from, trained on or merged: both on that one's test rows, asked as that one is asked.

    Attributes:
        score: of the version. parent_score: of the one it was made from.
        comparison: the version minus that one.
    """

    parent: str = Field(description="NAME@VERSION.")
    parent_digest: str
    test_digest: str
    rows: int
    task: str
    score: Score
    parent_score: Score
    comparison: Comparison

    @property
    def forgotten(self) -> bool:
        """It is worse than its parent: the whole interval says so, and the test of the paired rows, which few rows cannot deceive."""
        found = self.comparison
        return found.significant_loss and (found.p_value is None or found.p_value <= 1 - found.interval.confidence)

    @property
    def sentence(self) -> str:
        """All of it, for people."""
        found, between = self.comparison, self.comparison.interval
        return (
            f"{found.metric} {self.score.value:.3f} on the {self.rows} test rows of {self.parent}, which has "
            f"{self.parent_score.value:.3f}: {found.difference:+.3f}, "
            f"{between.confidence:.0%} interval {between.low:+.3f} to {between.high:+.3f}"
        )


class EvalReport(_Record):
    """An adapter version against its base on the same test rows: the evidence that promotion asks for."""

    kind: Literal["hatrack.eval/1"] = "hatrack.eval/1"
    adapter: str
    adapter_digest: str
    test_digest: str
    rows: int
    task: str
    metric: str = Field(description="The metric the gate reads.")
    systems: tuple[SystemScores, ...]
    best_base: str = Field(description="Name of the base figure that is hardest to beat, by the gate's metric.")
    comparisons: tuple[Comparison, ...]
    passed: bool
    reasons: tuple[str, ...] = Field(description="Why the gate said so, one sentence each.")
    seed: int
    created: str
    importance: dict[str, float] = Field({}, description="Table models: mean size of each column's SHAP values on test rows.")
    kept: tuple[Kept, ...] = Field((), description="What is left of the versions it was made from, on their test rows.")

    def system(self, name: str) -> SystemScores:
        """The scores of one side, by name."""
        return next(system for system in self.systems if system.name == name)

    def comparison(self, metric: str, base: str | None = None) -> Comparison:
        """The comparison for ``metric`` against ``base`` (default: the best one)."""
        wanted = base or self.best_base
        return next(c for c in self.comparisons if c.metric == metric and c.base == wanted)


class DataRecord(_Record):
    """What an adapter was trained on, by content."""

    digest: str
    train_digest: str
    validation_digest: str
    test_digest: str
    rows: dict[str, int]
    rejected: int
    source_files: dict[str, str] = Field(description="File name to SHA-256 of its bytes.")


class HostedWeights(_Record):
    """Where the weights of a version are, when they are not here: at a provider, under a name that only it can load."""

    kind: Literal["hatrack.hosted/1"] = "hatrack.hosted/1"
    provider: str
    base_url: str
    api_key_env: str = Field(description="Name of the environment variable that holds the key; never the key.")
    base_model: str
    model: str = Field(description="The fine-tuned model, by the provider's name for it.")
    job: str
    hyperparameters: dict[str, Any] = Field(description="As the provider reports them, its own choices included.")
    trained_tokens: int | None = Field(description="What the provider bills.")
    data_digest: str
    checkpoints: dict[str, str] = Field({}, description="Step to the provider's name of the model at that step.")
    sampling: bool = Field(True, description="Temperature and top_p are sent.")


class Manifest(_Record):
    """The record of one immutable version of an adapter, or of a table model, which has no base and no template."""

    kind: Literal["hatrack.adapter/1", "hatrack.table/1"] = ADAPTER
    name: str
    version: str
    digest: str
    base: str
    base_fingerprint: str
    template_hash: str
    weights_digest: str
    config: dict[str, Any] = Field(description="Everything that decides how the adapter behaves; part of the digest.")
    data: DataRecord
    seed: int
    parent: str | None = Field(description="Digest of the version before this one.")
    parents: tuple[str, ...] = Field((), description="Digests of the versions it was made from: trained on from, or merged.")
    training: dict[str, float] = Field(description="Measured: seconds, steps, tokens per second, peak memory, losses.")
    libraries: dict[str, str]
    files: dict[str, str] = Field(description="File name to SHA-256: the blobs of this version.")
    hosted: HostedWeights | None = Field(None, description="Where the weights are, when they are not among the files.")
    created: str


def adapter_digest(weights_digest: str, config: dict[str, Any], base_fingerprint: str, template_hash: str) -> str:
    """The identity of an adapter: weights, canonical config, base and template.

    A change of any of the four is another adapter; the same four are the same adapter wherever they were made.
    """
    return sha256_json({"weights": weights_digest, "config": config, "base": base_fingerprint, "template": template_hash})
