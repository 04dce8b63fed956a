"""One approach on one share of the rows: learned, timed, asked, and kept on disk so that it is never done twice.

.hatrack/runs/NAME#compare/
  3f9c....json             what it took, or why it failed; written last
  3f9c....jsonl            its answers to the test rows, as ``hatrack score`` reads them
"""

from __future__ import annotations

import gc
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from pydantic import ValidationError

from hatrack.core.atomic import write_text
from hatrack.core.digest import sha256_json, short
from hatrack.core.errors import HatrackError, RunInUse
from hatrack.core.strict import Strict
from hatrack.data.records import Example
from hatrack.evaluation.predictions import read_predictions, write_predictions
from hatrack.evaluation.systems import LATENCY_ROWS, expected_answer, percentile
from hatrack.training.memory import forget_peak, peak_memory, used_memory
from hatrack.workflows.bakeoff.approaches.features import asked_text
from hatrack.workflows.bakeoff.base import Approach, Problem, Solver

__all__ = ["Attempt", "Attempts", "Outcome", "row_id"]

_SCHEME = 1  # part of every key: another way of measuring is another attempt


class Outcome(Strict):
    """What an attempt took.

    Attributes:
        rows: training rows it learned from.
        fit_seconds: learning; answer_seconds: all test rows together.
        parameters: numbers that were trained; nbytes: on disk beside the base.
        memory_mb: what it added to the process at its peak, the base or the encoder included.
        latencies_ms: single requests, one after the other.
        tokens: mean prompt and answer tokens of a request, where a provider bills them.
        failed: why it failed; empty if it did not.
    """

    approach: str
    rows: int
    fit_seconds: float = 0.0
    answer_seconds: float = 0.0
    parameters: int = 0
    nbytes: int = 0
    memory_mb: float = 0.0
    latencies_ms: tuple[float, ...] = ()
    tokens: tuple[float, float] = (0.0, 0.0)
    failed: str = ""

    @property
    def latency_p50_ms(self) -> float:
        """Median of the single requests."""
        return percentile(self.latencies_ms, 0.5)

    @property
    def latency_p95_ms(self) -> float:
        """95th percentile of the single requests."""
        return percentile(self.latencies_ms, 0.95)


class Attempt(Strict):
    """An outcome with the answers that belong to it; none where it failed."""

    outcome: Outcome
    answers: tuple[str, ...]
    again: bool  # it was on disk


class Attempts:
    """The attempts in a folder, all on the same test rows."""

    def __init__(self, folder: Path, test: Sequence[Example]) -> None:
        self._folder, self._test = folder, list(test)
        self._digest = sha256_json([[row_id(row), expected_answer(row)] for row in self._test])

    def file(self, approach: Approach, problem: Problem) -> Path:
        """Where its answers are, once it has some."""
        return self._folder / f"{approach.name}-{self._key(approach, problem)}.jsonl"

    def run(self, approach: Approach, problem: Problem) -> Attempt:
        """Try it, or read from disk what came of it.

        Raises:
            RunInUse: another process is at the very same training. StorageError: nothing can be written.
        """
        answers = self.file(approach, problem)
        known = self._known(answers)
        if known is not None:
            return known
        outcome, texts = self._measured(approach, problem)
        if not outcome.failed:
            write_predictions(
                answers,
                [
                    {"id": row_id(row), "prediction": text, "expected": expected_answer(row), "text": asked_text(row)}
                    for row, text in zip(self._test, texts, strict=True)
                ],
            )
            write_text(answers.with_suffix(".json"), outcome.model_dump_json(indent=1))
        return Attempt(outcome=outcome, answers=tuple(texts), again=False)

    def _known(self, answers: Path) -> Attempt | None:
        try:
            outcome = Outcome.model_validate_json(answers.with_suffix(".json").read_text(encoding="utf-8"))
            return Attempt(outcome=outcome, answers=read_predictions(answers).given, again=True)
        except (OSError, ValidationError, HatrackError):
            return None

    def _measured(self, approach: Approach, problem: Problem) -> tuple[Outcome, list[str]]:
        gc.collect()  # models hang in circles, and the next one is to be measured alone
        forget_peak()
        before = used_memory()
        outcome = Outcome(approach=approach.name, rows=len(problem.train))
        try:
            start = time.perf_counter()
            solver = approach.fit(problem)
            fitted = time.perf_counter()
            texts, latencies, tokens = _asked(solver, self._test)
            answered = time.perf_counter()
        except RunInUse:
            raise
        except (HatrackError, MemoryError, RuntimeError) as error:  # torch says RuntimeError where memory or a kernel fails
            return _failed(outcome, error), []
        measured = {
            "fit_seconds": round(fitted - start, 6),
            "answer_seconds": round(answered - fitted, 6),
            "parameters": solver.parameters,
            "nbytes": solver.nbytes,
            "memory_mb": round(max(0, peak_memory() - before) / 2**20, 1),
            "latencies_ms": tuple(round(value, 6) for value in latencies),
            "tokens": tokens,
        }
        return outcome.model_copy(update=measured), texts

    def _key(self, approach: Approach, problem: Problem) -> str:
        record = problem.prepared.record
        said = [_SCHEME, approach.name, approach.identity(problem), problem.seed, problem.config.task]
        return short(sha256_json([*said, record.train_digest, record.validation_digest, problem.labels, self._digest]))


def _failed(outcome: Outcome, error: BaseException) -> Outcome:
    """The outcome with the reason of its failure, in one line."""
    if isinstance(error, HatrackError):
        reason = error.what + (f" ({error.given})" if error.given else "")
    else:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return outcome.model_copy(update={"failed": reason})


def row_id(row: Example) -> str:
    """The row's id, or its number where the file has none."""
    return row.id or f"row-{row.row}"


def _asked(solver: Solver, test: Sequence[Example]) -> tuple[list[str], list[float], tuple[float, float]]:
    """Answers to all rows; the first of them one at a time, after one that warms up."""
    single = list(test[:LATENCY_ROWS])
    solver.answer(single[:1])
    texts: list[str] = []
    latencies, tokens = [], []
    for row in single:
        start = time.perf_counter()
        texts += solver.answer([row])
        latencies.append(1000 * (time.perf_counter() - start))
        tokens.append(solver.tokens)
    rest = list(test[LATENCY_ROWS:])
    texts += solver.answer(rest) if rest else []
    prompt, answer = np.mean(np.array(tokens, float), axis=0)
    return texts, latencies, (float(prompt), float(answer))
