"""How a sweep is shown: a table of its trials, what to write into the config to keep the choice, and all of it as JSON."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from hatrack.training.sweep.trial import Trial, best_first

if TYPE_CHECKING:
    from rich.table import Table

    from hatrack.workflows.sweep import SweepResult

__all__ = ["sweep_json", "sweep_lines", "sweep_table"]


def sweep_table(result: SweepResult) -> Table:
    """One line for each trial: those that came furthest first, by score; what failed at the end."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    title = f"{result.name}: {len(result.trials)} trials on validation rows; only scores of equal epochs can be compared"
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    targets = any(trial.settings.targets for trial in result.trials)
    layers = any(trial.settings.last_layers for trial in result.trials)
    for heading, left in (
        ("trial", False),
        ("epochs", False),
        (result.score.replace("_", " "), False),
        ("loss", False),
        ("method", True),
        ("rank", False),
        *([("target modules", True)] if targets else []),
        *([("last layers", False)] if layers else []),
        ("learning rate", False),
        ("", False),
        ("parameters", False),
        ("seconds", False),
        ("", True),
    ):
        table.add_column(heading, justify="left" if left else "right", no_wrap=heading != "target modules")
    for trial in _ordered(result):
        settings, last = trial.settings, trial.last
        table.add_row(
            str(trial.number),
            f"{last.epochs:.2g}",
            "-" if last.score is None else f"{last.score:.3f}",
            "-" if last.loss is None else f"{last.loss:.3f}",
            settings.method,
            "-" if settings.rank is None else str(settings.rank),
            *([", ".join(settings.targets or ()) or "default"] if targets else []),
            *([str(settings.last_layers or "all")] if layers else []),
            f"{settings.learning_rate:.3g}",
            f"x{settings.times:.2g}",
            f"{settings.parameters:,}",
            f"{sum(outcome.seconds for outcome in trial.outcomes):.0f}",
            _verdict(trial, result),
            style="bold" if trial is result.chosen else "red" if trial.failed else "",
        )
    return table


def sweep_lines(result: SweepResult) -> list[str]:
    """What failed and why, and what follows from the sweep."""
    manifest, settings = result.manifest, result.chosen.settings
    keys = {"method": settings.method, **settings.options, "train.learning_rate": float(f"{settings.learning_rate:.6g}")}
    return [
        *(f"trial {trial.number} failed: {trial.last.failed}" for trial in result.trials if trial.failed),
        f"plot: {result.plot}",
        f"to keep these settings, set in hatrack.yaml, at adapters.{result.name}:",
        *(f"  {key}: {value if isinstance(value, str) else json.dumps(value)}" for key, value in keys.items()),
        f"registered as {manifest.name}@{manifest.version}  digest {manifest.digest[:12]}",
        f"next: hatrack promote {result.name}" if result.report.passed else "not proven better than the base: more data, or other lists",
    ]


def sweep_json(result: SweepResult) -> dict[str, Any]:
    """Everything, for programs; trials in the order in which they were tried."""
    return {
        "adapter": result.name,
        "score": result.score,
        "chosen": result.chosen.number,
        "trials": [
            {
                "number": trial.number,
                "method": trial.settings.method,
                "options": trial.settings.options,
                "learning_rate": trial.settings.learning_rate,
                "times": trial.settings.times,
                "rank": trial.settings.rank,
                "parameters": trial.settings.parameters,
                "rungs": [outcome.model_dump(mode="json") for outcome in trial.outcomes],
            }
            for trial in result.trials
        ],
        "notes": list(result.notes),
        "plot": str(result.plot),
        "manifest": result.manifest.model_dump(mode="json"),
        "report": result.report.model_dump(mode="json"),
    }


def _ordered(result: SweepResult) -> list[Trial]:
    lengths = sorted({trial.last.epochs for trial in result.trials}, reverse=True)
    whole = [
        trial for epochs in lengths for trial in best_first((t for t in result.trials if t.last.epochs == epochs), result.higher_is_better)
    ]
    return [*whole, *(trial for trial in result.trials if trial.failed)]


def _verdict(trial: Trial, result: SweepResult) -> str:
    said = ["chosen"] if trial is result.chosen else ["failed"] if trial.failed else []
    return ", ".join([*said, *(["as in hatrack.yaml"] if trial.number == 1 else [])])
