"""``hatrack table stream``: what happened on the stream, how well everybody answered it, and what became of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hatrack.cli.screen import JsonOption, ProjectOption, print_json, progress_console, result_console

if TYPE_CHECKING:
    from rich.table import Table

    from hatrack.core.lineage import Comparison, Score
    from hatrack.workflows.table_stream import Streamed

__all__ = ["stream"]


def stream(
    name: Annotated[str, typer.Argument(help="Whom to begin with: NAME (its champion, else its newest version) or NAME@VERSION.")],
    file: Annotated[Path, typer.Argument(help="New rows with their truth, in order: CSV, Parquet or JSONL.")],
    learner: Annotated[
        str,
        typer.Option(help="continued (XGBoost adds trees), partial-fit (logistic), river (adaptive tree), or auto: by the version's kind."),
    ] = "auto",
    part: Annotated[int, typer.Option(min=10, help="Rows between two times of learning.")] = 100,
    judged: Annotated[int, typer.Option(min=50, help="Rows over which a challenger is compared with the champion.")] = 300,
    test: Annotated[
        float | None, typer.Option(min=0.01, max=0.9, help="Share of the newest rows that is only measured on. Default: split.test.")
    ] = None,
    compare_full: Annotated[bool, typer.Option("--compare-full", help="Retrain on everything so far after each part, too; slow.")] = False,
    register: Annotated[bool, typer.Option(help="Register what has learned as a new version.")] = True,
    project: ProjectOption = Path("."),
    json: JsonOption = False,
) -> None:
    """See ``PARTS`` of the command."""
    from hatrack.workflows.step_bar import StepBar
    from hatrack.workflows.table_project import TableProject
    from hatrack.workflows.table_stream import stream_table

    progress = progress_console()

    def say(line: str) -> None:
        progress.print(line, style="dim")

    at = TableProject.open(project, name.partition("@")[0], say)
    with StepBar(name, progress) as bar:
        found = stream_table(
            at,
            name,
            file,
            learner=learner,
            part=part,
            judged=judged,
            test=test,
            compare_full=compare_full,
            register=register,
            report=say,
            tick=lambda step, done, total: bar.update(step, done, total),
        )
    if json:
        print_json(_as_dict(found))
        return
    _show(found)


def _show(found: Streamed) -> None:
    from hatrack.cli.tabular_screens import figures_table

    console = result_console()
    start = f"{found.start.name}@{found.start.version}"
    rows = len(found.rows.learned)
    console.print(f"{start} on {rows:,} rows of {found.rows.file}, and {len(found.rows.test):,} newer ones kept for the test")
    for line in _events(found):
        console.print(f"  {line}")
    console.print(_figures(found))
    if found.manifest is None or found.report is None:
        console.print(f"no version was registered: {found.why_not}")
        return
    version = f"{found.manifest.name}@{found.manifest.version}"
    console.print(figures_table(found.report, {}, version))
    for reason in found.report.reasons:
        console.print(reason, style="yellow" if reason.startswith("warning") else "")
    for note in found.notes:
        console.print(note, style="yellow" if "no champion" in note else "dim")
    console.print(f"next: hatrack promote {version}" if found.report.passed else "not proven: it cannot be promoted")


def _events(found: Streamed) -> list[str]:
    number = found.rows.learned.numbers
    events: list[tuple[int, str]] = []
    for change in found.changes:
        back = (
            f"as good as before {change.recovered:,} rows after it"
            if change.recovered is not None
            else "not as good as before within this stream"
        )
        events.append((change.flagged, f"drift flagged; the world changed at about row {number[change.since]:,}; {back}"))
    events += [(row, "the challenger took over") for row in found.takeovers]
    events += [(row, "the challenger was given up: it was not better") for row in found.given_up]
    return [f"row {number[row]:,}: {what}" for row, what in sorted(events)] or ["no drift was flagged"]


def _figures(found: Streamed) -> Table:
    from rich.table import Table

    table = Table(title=f"every row answered before it was learned from ({len(found.rows.learned):,} rows)", title_justify="left")
    table.add_column("")
    first = found.figures[0]
    confidence = first.auc.interval.confidence if first.auc.interval else 0.95
    for heading in (f"ROC AUC ({confidence:.0%} interval)", "difference", "log loss", "difference ", "learning s"):
        table.add_column(heading, justify="right")
    for one in found.figures:
        gains: dict[str, Comparison] = {gain.metric: gain for gain in one.gains}
        table.add_row(
            one.name, _score(one.auc), _gain(gains.get("roc_auc")), _score(one.log_loss), _gain(gains.get("log_loss")), f"{one.seconds:.1f}"
        )
    return table


def _score(score: Score) -> str:
    text = f"{score.value:.3f}"
    return text + (f" ({score.interval.low:.3f} to {score.interval.high:.3f})" if score.interval else "")


def _gain(gain: Comparison | None) -> str:
    return f"{gain.difference:+.3f} ({gain.interval.low:+.3f} to {gain.interval.high:+.3f})" if gain else ""


def _as_dict(found: Streamed) -> dict[str, Any]:
    number = found.rows.learned.numbers
    return {
        "start": f"{found.start.name}@{found.start.version}",
        "learner": found.learner,
        "rows": len(found.rows.learned),
        "test_rows": len(found.rows.test),
        "changes": [
            {"row": number[change.since], "flagged_at_row": number[change.flagged], "recovered_after_rows": change.recovered}
            for change in found.changes
        ],
        "takeovers": [number[row] for row in found.takeovers],
        "given_up": [number[row] for row in found.given_up],
        "figures": [
            {
                "name": one.name,
                "roc_auc": one.auc.model_dump(mode="json"),
                "log_loss": one.log_loss.model_dump(mode="json"),
                "seconds": one.seconds,
                "gains": [gain.model_dump(mode="json") for gain in one.gains],
            }
            for one in found.figures
        ],
        "manifest": found.manifest.model_dump(mode="json") if found.manifest else None,
        "report": found.report.model_dump(mode="json") if found.report else None,
        "why_not": found.why_not,
        "notes": list(found.notes),
    }
