"""``hatrack train --sweep``: try settings by successive halving, register the best one, measure that one on the test rows.

No trial is given the test rows. They are looked at once, when the choice is made.
"""

from __future__ import annotations

import contextlib
import gc
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from filelock import FileLock, Timeout
from rich.console import Console
from rich.text import Text

from hatrack.core.atomic import storage_errors
from hatrack.core.config import AdapterConfig
from hatrack.core.digest import sha256_json, short
from hatrack.core.errors import AdapterBroken, HatrackError, MissingExtra, RunInUse, TrainingError
from hatrack.core.lineage import EvalReport, Manifest
from hatrack.data.prepare import Prepared
from hatrack.evaluation.gate import gated_metric
from hatrack.evaluation.metrics.base import METRICS
from hatrack.evaluation.validation import validation_score
from hatrack.models.host import ModelHost
from hatrack.training.estimate import duration, step_counts
from hatrack.training.run import train_adapter
from hatrack.training.sweep.bracket import Rung, bracket
from hatrack.training.sweep.plot import draw_sweep
from hatrack.training.sweep.propose import propose
from hatrack.training.sweep.record import Outcome, Records
from hatrack.training.sweep.space import Space, open_space
from hatrack.training.sweep.trial import Trial, best_first
from hatrack.workflows.adapt import Workbench

__all__ = ["SweepResult", "sweep"]

_LOSS = "validation loss"
_WITH_LABELS = ("classify", "classify-by-text")
_ANSWERING = (*_WITH_LABELS, "instruct")
# RuntimeError is what torch raises when memory or a kernel fails; a sweep over methods has more to try.
_FAILURES = (TrainingError, AdapterBroken, MissingExtra, MemoryError, RuntimeError)


@dataclass(frozen=True)
class SweepResult:
    """What a sweep found.

    Attributes:
        trials: all of them, in the order in which they were tried.
        chosen: the one that was registered.
        score: what ``Outcome.score`` is: a metric on the validation rows, or the validation loss.
        higher_is_better: of the score.
        notes: what of the space was left out, and why.
        plot: the picture.
        manifest, report: the registered version, and its comparison with the base on the test rows.
    """

    name: str
    trials: tuple[Trial, ...]
    chosen: Trial
    score: str
    higher_is_better: bool
    notes: tuple[str, ...]
    plot: Path
    manifest: Manifest
    report: EvalReport


def sweep(bench: Workbench, name: str) -> SweepResult:
    """Search, train and register the best settings for one adapter. What an earlier, killed sweep finished is not repeated.

    Raises:
        TrainingError: nothing under ``sweep`` can be trained, or every trial failed.
        RunInUse: another process is at this sweep.
    """
    config = bench.adapter(name)
    space = open_space(config, bench.files)
    prepared = bench.prepare(name)
    folder = bench.project.runs / f"{name}#sweep"
    with storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    with _only_one(folder), (folder / "log.txt").open("a", encoding="utf-8") as log:
        search = _Search(bench, name, config, prepared, space, folder, Console(file=log, width=140, markup=False))
        chosen = search.run()
        plot = draw_sweep(folder / "sweep.png", search.trials, chosen, search.score, search.higher_is_better, name)
        quiet = replace(bench, console=search.log)
        manifest = quiet.train(name, search.prepared, chosen.settings.config(config, 1.0))
    report = bench.evaluate(manifest, prepared)
    return SweepResult(name, tuple(search.trials), chosen, search.score, search.higher_is_better, space.notes, plot, manifest, report)


class _Search:
    """One sweep on its way. ``prepared`` is its data without the test rows."""

    def __init__(
        self, bench: Workbench, name: str, config: AdapterConfig, prepared: Prepared, space: Space, folder: Path, log: Console
    ) -> None:
        self._bench, self._name, self._config, self._space = bench, name, config, space
        self.prepared = replace(prepared, splits=replace(prepared.splits, test=()))
        self._folder, self._records = folder, Records(folder / "trials")
        self._parent = bench.parent(name)
        self.log = log
        self.trials: list[Trial] = []
        wanted = config.sweep.score
        by_metric = config.task in (_WITH_LABELS if wanted == "auto" else _ANSWERING if wanted == "metric" else ())
        self.score = gated_metric(config.task, bench.config.gate) if by_metric else _LOSS
        self.higher_is_better = METRICS.get(self.score).higher_is_better if by_metric else False
        self._rungs = bracket(config.sweep, min(config.sweep.trials, len(space.others) + 1), self._steps)
        self._spent = self._epochs = 0.0  # seconds and epochs of all trainings so far

    def run(self) -> Trial:
        """Go through the rungs; the best of the last one."""
        self._introduce()
        rung, *later = self._rungs
        while len(self.trials) < rung.places and not self._late(rung, self.trials):
            seen = [(trial.settings, trial.merit(self.higher_is_better)) for trial in self.trials]
            settings = propose(self._space, seen, rung.places, self._config.sweep.seed)
            if settings is None:
                break
            trial = Trial(len(self.trials) + 1, settings)
            self._train(trial, rung)
            self.trials.append(trial)
        ranking = best_first(self.trials, self.higher_is_better)
        for rung in later:
            passed: list[Trial] = []
            for trial in ranking:  # who fails gives its place to the next
                if len(passed) == rung.places or self._late(rung, passed):
                    break
                self._train(trial, rung)
                passed += [] if trial.failed else [trial]
            ranking = best_first(passed, self.higher_is_better)
        self._tidy()
        if not ranking:
            raise TrainingError(
                "no trial of the sweep came to its end",
                given="; ".join(dict.fromkeys(f"{trial.settings.method}: {trial.last.failed}" for trial in self.trials)),
                fix=f"correct the lists under sweep; to try the same settings again, remove {self._folder}",
            )
        return ranking[0]

    def _train(self, trial: Trial, rung: Rung) -> None:
        """One trial for one rung, or its outcome from the disk."""
        config = trial.settings.config(self._config, rung.share)
        key = self._key(config)
        outcome = self._records.find(key)
        label = f"{self._name}: rung {rung.number} of {rung.of}, trial {trial.number}: {trial.settings}"
        if outcome is None:
            with self._bench.console.status(Text(label)):
                outcome = self._records.keep(key, self._outcome(trial, rung, config, key))
            again = ""
        else:
            again = " (done before)"
        trial.outcomes.append(outcome)
        self._spent += outcome.seconds
        self._epochs += outcome.epochs
        said = (f"failed: {outcome.failed}", "red") if outcome.failed else f"{self.score} {outcome.score:.3f}"
        self._bench.console.print(Text.assemble(f"{label}: ", said, f", {outcome.seconds:.0f} s{again}{self._left()}"), soft_wrap=True)

    def _outcome(self, trial: Trial, rung: Rung, config: AdapterConfig, key: str) -> Outcome:
        if self._records.gave_up(key):
            return Outcome(
                epochs=config.train.epochs, failed="the process was killed in this trial three times; it may need too much memory"
            )
        start = time.monotonic()
        # a training of full length is the adapter's own run: the chosen one is found there when it is registered
        name = self._name if rung.share == 1 else f"{self._name}#{trial.number}"
        try:
            with self._records.attempt(key):
                trained = train_adapter(name, config, self._bench.files, self.prepared, self._bench.project.runs, self.log, self._parent)
                loss = trained.statistics["best_validation_loss"]
                score = loss if self.score == _LOSS else self._measured(trained.folder)
        except RunInUse:
            raise
        except _FAILURES as error:
            return Outcome(epochs=config.train.epochs, seconds=round(time.monotonic() - start, 2), failed=_reason(error))
        finally:
            gc.collect()  # models hang in circles, and the next trial needs the memory
        if rung.share < 1:
            self._tidy(trial)
        return Outcome(epochs=config.train.epochs, score=score, loss=loss, seconds=round(time.monotonic() - start, 2))

    def _measured(self, folder: Path) -> float:
        host = ModelHost(self._bench.files)
        host.attach(folder.parent.name, folder)
        return validation_score(host, folder.parent.name, self.prepared.splits.validation, self.score)

    def _key(self, config: AdapterConfig) -> str:
        """All that decides the outcome of a training."""
        apart = {"sweep", "data", "columns", "prepare", "checks", "split", "trainer", "parent"}  # the data's digest says these
        said = config.model_dump(mode="json", exclude=apart)
        parent = self._parent.manifest.digest if self._parent else None
        return short(sha256_json([self._bench.files.fingerprint, self.prepared.record.digest, said, parent, self.score]))

    def _late(self, rung: Rung, done: list[Trial]) -> bool:
        """Whether the rung has used its time; one that did not fail is always waited for."""
        minutes = self._config.sweep.minutes
        if minutes is None or all(trial.failed for trial in done):
            return False
        return self._spent >= 60 * minutes * rung.number / rung.of

    def _steps(self, share: float) -> int:
        train = self._config.train
        return step_counts(train.model_copy(update={"epochs": train.epochs * share}), len(self.prepared.splits.train))[1]

    def _left(self) -> str:
        """Time left, if an epoch goes on taking what it took."""
        planned = sum(rung.places * rung.share for rung in self._rungs) * self._config.train.epochs
        seconds = self._spent / self._epochs * max(0.0, planned - self._epochs)
        return f"; about {duration(seconds)} left" if seconds else ""

    def _introduce(self) -> None:
        print_ = self._bench.console.print
        for note in self._space.notes:
            print_(f"{self._name}: {note}", style="yellow", markup=False, soft_wrap=True)
        epochs = self._config.train.epochs
        rungs = ", then ".join(f"{rung.places} for {epochs * rung.share:.2g} epochs" for rung in self._rungs)
        print_(f"{self._name}: sweep over {len(self._space.others) + 1} settings: {rungs}; by {self.score}", soft_wrap=True)

    def _tidy(self, trial: Trial | None = None) -> None:
        """Short trainings are not kept: their scores are."""
        number = str(trial.number) if trial else "[0-9]*"
        for left_over in self._bench.project.runs.glob(f"{self._name}#{number}-*"):
            shutil.rmtree(left_over, ignore_errors=True)
            left_over.with_name(f".{left_over.name}.lock").unlink(missing_ok=True)


def _reason(error: BaseException) -> str:
    if isinstance(error, HatrackError):
        return error.what + (f" ({error.given})" if error.given else "")
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


@contextlib.contextmanager
def _only_one(folder: Path) -> Iterator[None]:
    lock = FileLock(folder / ".lock")
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise RunInUse(
            "another process is at this sweep", given=str(folder), fix="wait for it, or stop it; the sweep then goes on"
        ) from error
    try:
        yield
    finally:
        lock.release()
