"""Approaches: ways of solving a task at all. Each says as data what it can do, learns from rows, and answers rows.

Problem ──► approach.obstacle ──► approach.fit ──► Solver ──► solver.answer(rows)
why it cannot         learns           what is measured
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

from rich.console import Console

from hatrack.core.config import AdapterConfig, ProjectConfig
from hatrack.core.config_compare import CompareSettings
from hatrack.core.config_hosted import HostedModel
from hatrack.core.config_provider import ProviderSettings
from hatrack.core.lineage import HostedWeights
from hatrack.core.plugins import Plugins
from hatrack.data.prepare import Prepared
from hatrack.data.records import Example
from hatrack.models.backends.terms import Terms, terms_for
from hatrack.models.loading import BaseModelFiles

__all__ = ["APPROACHES", "Approach", "Family", "Problem", "Solver", "Traits"]

Family = Literal["rule", "classical", "encoder", "prompt", "hosted", "adapter"]  # as they are tried: cheap ones first


@dataclass(frozen=True)
class Traits:
    """What an approach is, as data.

    Attributes:
        summary: what it does, in half a sentence.
        family: approaches of one family take about the same time; it is also how their rows are limited.
        effort: within the family; what takes less is tried first.
        learns: more rows may make it better, so it has a learning curve.
        retrain: new facts need a new training.
        explainable: it can say what in a text decided.
        offline: nothing leaves the machine.
    """

    summary: str
    family: Family
    effort: int = 1
    learns: bool = True
    retrain: bool = True
    explainable: bool = False
    offline: bool = True


def _unpriced(weights: HostedWeights) -> Terms:
    return terms_for(ProjectConfig.model_construct(), None, weights)


@dataclass(frozen=True)
class Problem:
    """One task with its rows.

    Attributes:
        prepared: the data; its splits hold no test rows, and of the training rows those that may be learned from.
        base: the project's base; encoder: the encoder for approaches that need one.
        runs: where trainings keep their checkpoints.
        log: what trainings say.
        hosted: the models under ``hosted:``.
        terms: on what terms a hosted model is asked.
    """

    name: str
    config: AdapterConfig
    settings: CompareSettings
    prepared: Prepared
    base: BaseModelFiles
    encoder: BaseModelFiles
    provider: ProviderSettings | None
    runs: Path
    log: Console
    hosted: Mapping[str, HostedModel] = field(default_factory=dict)
    terms: Callable[[HostedWeights], Terms] = _unpriced

    @property
    def train(self) -> Sequence[Example]:
        """The rows to learn from."""
        return self.prepared.splits.train

    @property
    def labels(self) -> tuple[str, ...]:
        """Every class, sorted; empty where the answer is free text."""
        return self.prepared.labels

    @property
    def seed(self) -> int:
        """Decides whatever is random."""
        return self.config.train.seed


class Solver(Protocol):
    """An approach that has learned what it learns.

    Attributes:
        parameters: how many numbers were trained.
        nbytes: on disk, without the base or the encoder, which are there already.
        tokens: prompt and answer tokens of the last request, as a provider bills them; zeros where nobody bills.
    """

    parameters: int
    nbytes: int
    tokens: tuple[int, int]

    def answer(self, rows: Sequence[Example]) -> list[str]:
        """The answers to ``rows``, whose labels and last turns are not looked at."""
        ...


class Approach(Protocol):
    """One way of solving a task."""

    name: str
    traits: Traits

    def obstacle(self, problem: Problem) -> str:
        """Why it cannot be tried on this problem; empty if it can."""
        ...

    def identity(self, problem: Problem) -> dict[str, Any]:
        """What, beside the rows, decides its answers: models by fingerprint, options. A finished attempt is found by it."""
        ...

    def fit(self, problem: Problem) -> Solver:
        """Learn from the problem's rows.

        Raises:
            HatrackError: it cannot; the message says why. MemoryError, RuntimeError: torch could not.
        """
        ...


_HERE = "hatrack.workflows.bakeoff.approaches"

APPROACHES: Plugins[type[Approach]] = Plugins(
    "approach",
    {
        "majority": f"{_HERE}.majority:Majority",
        "nearest": f"{_HERE}.nearest:Nearest",
        "tfidf-logreg": f"{_HERE}.tfidf_logreg:TfidfLogreg",
        "tfidf-xgboost": f"{_HERE}.tfidf_xgboost:TfidfXgboost",
        "embeddings-logreg": f"{_HERE}.embeddings_logreg:EmbeddingsLogreg",
        "zero-shot": f"{_HERE}.prompted:ZeroShot",
        "zero-shot-scored": f"{_HERE}.prompted:ZeroShotScored",
        "few-shot": f"{_HERE}.prompted:FewShot",
        "few-shot-scored": f"{_HERE}.prompted:FewShotScored",
        "few-shot-retrieved": f"{_HERE}.retrieved:FewShotRetrieved",
        "encoder-lora": f"{_HERE}.encoders:EncoderLora",
        "encoder-last-n": f"{_HERE}.encoders:EncoderLastN",
        "encoder-full": f"{_HERE}.encoders:EncoderFull",
        "lora": f"{_HERE}.adapters:LoraAdapter",
        "ia3": f"{_HERE}.adapters:Ia3Adapter",
        "bitfit": f"{_HERE}.adapters:BitFitAdapter",
        "last-n": f"{_HERE}.adapters:LastNAdapter",
        "full": f"{_HERE}.adapters:FullTuning",
        "hosted": f"{_HERE}.hosted:HostedApproach",
    },
)
