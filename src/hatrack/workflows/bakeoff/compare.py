"""``hatrack compare``: every approach that applies, on the same test rows, then the cheapest that keeps up.

data ─► approaches, cheapest family first ─► answers ─► scores, p-values, prices ─► recommendation
│ each kept on disk                                                └─► learning curves
└ no time left: skipped and said
"""

from __future__ import annotations

import random
import shutil
import time
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.text import Text

from hatrack.core.atomic import storage_errors, write_text
from hatrack.core.config import AdapterConfig
from hatrack.core.config_compare import CompareSettings
from hatrack.core.errors import ConfigError, EvaluationError
from hatrack.data.prepare import Prepared
from hatrack.data.spool import subset
from hatrack.evaluation.gate import gated_metric
from hatrack.evaluation.metrics.base import METRICS, Answers, Metric
from hatrack.evaluation.systems import expected_answer
from hatrack.models.backends.terms import terms_for
from hatrack.models.loading import open_base
from hatrack.training.estimate import duration
from hatrack.training.only_one import only_one
from hatrack.workflows.adapt import Workbench
from hatrack.workflows.bakeoff.attempt import Attempt, Attempts
from hatrack.workflows.bakeoff.base import Approach, Family, Problem
from hatrack.workflows.bakeoff.choice import chosen_approaches, price_of
from hatrack.workflows.bakeoff.curves import SHARES, curve_of
from hatrack.workflows.bakeoff.record import Bakeoff, Curve, Skipped
from hatrack.workflows.bakeoff.shares import fewer_rows
from hatrack.workflows.bakeoff.verdict import Measured, entries_of, recommend

__all__ = ["RECORD", "compare"]

RECORD = "compare.json"
_TASKS = ("classify", "classify-by-text", "instruct")
_FEW = 100  # test rows below which most differences cannot be seen


def compare(bench: Workbench, name: str, settings: CompareSettings) -> Bakeoff:
    """Try every approach on the data of one adapter. What an earlier, interrupted comparison finished is not repeated.

    Raises:
        EvaluationError: a task whose answers cannot be compared, or nothing was measured.
        ConfigError: an approach that is not there. DataError: the data cannot be prepared.
        RunInUse: another process is at this comparison.
    """
    start = time.monotonic()
    config = bench.adapter(name)
    if config.task not in _TASKS:
        raise EvaluationError(
            f"approaches are compared by their answers, and task {config.task} has none",
            given=f"{name}: task {config.task}",
            allowed=", ".join(_TASKS),
            fix="compare another adapter",
        )
    approaches = chosen_approaches(settings, config.method, bench.config)
    prepared = bench.prepare(name)
    folder = bench.project.runs / f"{name}#compare"
    with storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    with only_one(folder), (folder / "log.txt").open("a", encoding="utf-8") as log:
        run = _Run(bench, name, settings, prepared, folder, Console(file=log, width=140, markup=False))
        for approach in approaches:
            run.attempt(approach)
        found = run.result(start)
    write_text(folder / RECORD, found.model_dump_json(indent=1))
    return found


@dataclass
class _Run:
    """A comparison on its way."""

    bench: Workbench
    name: str
    settings: CompareSettings
    prepared: Prepared
    folder: Path
    log: Console
    measured: list[tuple[Approach, Measured]] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    spent: float = 0.0  # seconds, those of attempts on disk included
    longest: dict[Family, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        rows, limit = self.prepared.splits.test, self.settings.test_rows
        if len(rows) > limit:
            numbers = random.Random(self.config.train.seed).sample(range(len(rows)), limit)
            rows = subset(rows, np.array(sorted(numbers), np.int64))
        self.test = list(rows)
        self.attempts = Attempts(self.folder, self.test)
        self.expected = tuple(expected_answer(row) for row in self.test)
        spec = self.bench.project.base_spec(self.settings.embedder)
        self.encoder = open_base(spec, report=lambda line: self.say(line))

    @property
    def config(self) -> AdapterConfig:
        return self.bench.adapter(self.name)

    def say(self, line: str) -> None:
        self.bench.console.print(f"{self.name}: {line}", style="dim", soft_wrap=True, markup=False)

    def problem(self, approach: Approach, share: float = 1.0) -> Problem:
        """The rows that this approach may learn from. No approach is given the test rows."""
        rows = len(self.prepared.splits.train)
        if approach.traits.family == "adapter" and self.settings.llm_rows is not None:
            rows = min(rows, self.settings.llm_rows)
        count = max(1, round(share * rows))
        prepared = fewer_rows(self.prepared, count, self.config.train.seed)
        prepared = replace(prepared, splits=replace(prepared.splits, test=()))
        return Problem(
            self.name,
            self.config,
            self.settings,
            prepared,
            self.bench.files,
            self.encoder,
            self.bench.config.provider,
            self.bench.project.runs,
            self.log,
            self.bench.config.hosted,
            lambda weights: terms_for(self.bench.config, self.bench.project.spending, weights, self.name),
        )

    def attempt(self, approach: Approach) -> None:
        """Try one approach, unless it does not apply or there is no time."""
        problem = self.problem(approach)
        obstacle = approach.obstacle(problem)
        if obstacle:
            self._skip(approach, "does not apply", obstacle)
            return
        late = self._late(approach)
        if late:
            self._skip(approach, "no time", late)
            return
        attempt = self._try(approach, problem)
        if attempt.outcome.failed:
            self._skip(approach, "failed", attempt.outcome.failed)
            return
        file = str(self.attempts.file(approach, problem))
        answers, price = self._answers(attempt), price_of(approach, problem)
        self.measured.append((approach, Measured(approach.name, approach.traits, attempt.outcome, answers, file, price)))

    def _try(self, approach: Approach, problem: Problem) -> Attempt:
        label = f"{approach.name} on {len(problem.train):,} rows"
        with self.bench.console.status(Text(f"{self.name}: {label}")):
            attempt = self.attempts.run(approach, problem)
        self._tidy()
        outcome = attempt.outcome
        seconds = outcome.fit_seconds + outcome.answer_seconds
        self.spent += seconds
        self.longest[approach.traits.family] = max(seconds, self.longest.get(approach.traits.family, 0.0))
        said = outcome.failed or f"{self._score(attempt)}, {duration(seconds)}"
        self.say(f"{label}: {said}" + (" (done before)" if attempt.again else ""))
        return attempt

    def _tidy(self) -> None:
        """Weights are not kept, their answers are. A training that is interrupted does not come to this."""
        for left_over in self.bench.project.runs.glob(f"{self.name}#compare-*"):
            shutil.rmtree(left_over, ignore_errors=True)
            left_over.with_name(f".{left_over.name}.lock").unlink(missing_ok=True)

    def _late(self, approach: Approach) -> str:
        """Why there is no time: the budget is used up, or another of its family shows that it would be."""
        if self.settings.minutes is None:
            return ""
        left = 60 * self.settings.minutes - self.spent
        needed = self.longest.get(approach.traits.family, 0.0)
        if left <= 0:
            return f"the {self.settings.minutes:g} minutes were used"
        if needed > left:
            return f"{duration(left)} were left, and the last like it took {duration(needed)}"
        return ""

    def _skip(self, approach: Approach, kind: str, reason: str) -> None:
        self.skipped.append(Skipped.model_validate({"approach": approach.name, "kind": kind, "reason": reason}))

    def _answers(self, attempt: Attempt) -> Answers:
        return Answers(attempt.answers, self.expected, self.prepared.labels, self.config.answer_schema)

    def _score(self, attempt: Attempt) -> str:
        metric = self._metrics(self._answers(attempt))[0]
        return f"{metric.name} {metric.total(metric.rows(self._answers(attempt))):.3f}"

    def _metrics(self, answers: Answers) -> list[Metric]:
        """All that apply; the one that the gate reads first."""
        decisive = gated_metric(self.config.task, self.bench.config.gate)
        found = [metric for name in METRICS.names() if (metric := METRICS.get(name)()).applies(answers)]
        found.sort(key=lambda metric: metric.name != decisive)
        if not found or found[0].name != decisive:
            raise ConfigError(
                "the gate's metric does not apply to this task",
                given=f"gate.metric: {decisive}",
                allowed=", ".join(metric.name for metric in found),
                fix="set gate.metric",
            )
        return found

    def result(self, start: float) -> Bakeoff:
        """Scores, recommendation, and the curves that were asked for."""
        if not self.measured:
            raise EvaluationError(
                "no approach was measured",
                given="; ".join(f"{one.approach}: {one.reason}" for one in self.skipped),
                fix="give more minutes, or other approaches",
            )
        config, settings, gate = self.config, self.settings, self.bench.config.gate
        metrics = self._metrics(self.measured[0][1].answers)
        entries = entries_of([one for _, one in self.measured], metrics, settings, gate.confidence, config.train.seed)
        recommendation = recommend(entries, metrics[0].name, settings, gate.confidence)
        wanted: set[str | None] = {entry.approach for entry in entries}
        if settings.curves == "best":
            wanted = {entries[0].approach, recommendation.approach}
        curves = [] if settings.curves == "off" else self._curves(metrics[0], wanted)
        return Bakeoff(
            adapter=self.name,
            task=config.task,
            metric=metrics[0].name,
            higher_is_better=metrics[0].higher_is_better,
            confidence=gate.confidence,
            train_rows=len(self.prepared.splits.train),
            test_rows=len(self.test),
            labels=len(self.prepared.labels),
            entries=entries,
            skipped=tuple(self.skipped),
            best=entries[0].approach,
            recommendation=recommendation,
            curves=tuple(curves),
            prices=settings.prices,
            requests=settings.requests,
            wishes=settings.wishes,
            notes=tuple(self._notes()),
            seconds=round(time.monotonic() - start, 1),
            created=datetime.now(UTC).isoformat(timespec="seconds"),
        )

    def _curves(self, metric: Metric, wanted: set[str | None]) -> list[Curve]:
        found = []
        for approach, whole in self.measured:
            if approach.name not in wanted or not approach.traits.learns:
                continue
            points = []
            for share in SHARES:
                if self.settings.minutes is not None and self.spent >= 60 * self.settings.minutes:
                    break
                attempt = self._try(approach, self.problem(approach, share))
                if not attempt.outcome.failed and attempt.outcome.rows < whole.outcome.rows:
                    points.append((attempt.outcome.rows, self._answers(attempt)))
            if points:
                points.append((whole.outcome.rows, whole.answers))
                found.append(curve_of(approach.name, metric, points, self.bench.config.gate.confidence, self.config.train.seed))
        return found

    def _notes(self) -> list[str]:
        notes = []
        if len(self.test) < _FEW:
            notes.append(f"{len(self.test)} test rows are few: only large differences can be seen, and cheap approaches look good enough")
        if len(self.test) < len(self.prepared.splits.test):
            notes.append(f"{len(self.test):,} of {len(self.prepared.splits.test):,} test rows were asked (compare.test_rows)")
        total, most = len(self.prepared.splits.train), self.settings.llm_rows
        if most is not None and total > most and any(one.traits.family == "adapter" for one, _ in self.measured):
            notes.append(f"approaches that train the base learned from {most:,} of {total:,} rows (compare.llm_rows)")
        return notes
