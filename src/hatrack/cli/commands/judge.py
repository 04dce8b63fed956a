"""``hatrack judge``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hatrack.cli.screen import JsonOption, ProjectOption, print_json, progress_console, result_console
from hatrack.core.aside import aside

if TYPE_CHECKING:
    from hatrack.evaluation.judge import Agreement

_SEED = 13


def run(
    ours: Annotated[Path, typer.Argument(help="Predictions of the first system.")],
    theirs: Annotated[Path, typer.Argument(help="Predictions of the second system for the same rows.")],
    by: Annotated[str, typer.Option("--judge", help="Who judges: base, an adapter, or URL#MODEL.")] = "base",
    question: Annotated[str, typer.Option("--question", help="Column with what was asked.")] = "text",
    human: Annotated[Path | None, typer.Option("--human", help="Verdicts of people: rows with id and verdict (a, b, tie).")] = None,
    send: Annotated[bool, typer.Option("--send", help="The rows may go to the judge's machine.")] = False,
    key_env: Annotated[str, typer.Option("--key-env", help="For URL#MODEL: the environment variable with its key.")] = "OPENAI_API_KEY",
    project: ProjectOption = Path("."),
    json: JsonOption = False,
) -> None:
    from dataclasses import asdict

    from hatrack.core.errors import EvaluationError
    from hatrack.evaluation.judge import agreement, ask_judge
    from hatrack.evaluation.predictions import join, read_predictions, read_verdicts
    from hatrack.workflows.judges import open_judge

    first, second = join(read_predictions(ours), read_predictions(theirs), (ours.name, theirs.name))
    lacking = [name for name, row in zip(first.ids, first.columns, strict=True) if not row.get(question)]
    if lacking:
        raise EvaluationError(
            "a judge must know what was asked",
            given=f"no {question} in {len(lacking)} rows of {ours.name}",
            allowed="a column with the question",
            fix="name it with --question COLUMN",
        )
    verdicts = read_verdicts(human) if human else None
    ask = open_judge(by, project, key_env, send=send, report=aside(progress_console()))
    asked = [str(row[question]) for row in first.columns]
    judged = ask_judge(ask, list(zip(asked, first.given, second.given, strict=True)), 0.95, _SEED)
    checked = agreement(dict(zip(first.ids, judged.verdicts, strict=True)), verdicts, 0.95, _SEED) if verdicts else None
    if json:
        shown: dict[str, Any] = {**asdict(judged), "win_rate": judged.win_rate.model_dump(mode="json")}
        if checked:
            shown["agreement"] = {**asdict(checked), "kappa": checked.kappa.model_dump(mode="json")}
        print_json(shown)
        return
    console = result_console()
    rate = judged.win_rate
    if rate.interval is not None:
        between = f"{rate.interval.low:.3f} to {rate.interval.high:.3f}"
        console.print(f"{ours.name} wins {rate.value:.3f} (95 % interval {between}, ties half), p {judged.p:.4f}", soft_wrap=True)
    console.print(
        f"  {judged.inconsistent:.0%} of the verdicts went with the place, {judged.unreadable:.0%} of the replies were unreadable"
    )
    _trust(checked)


def _trust(checked: Agreement | None) -> None:
    console = result_console()
    if checked is None:
        console.print("nobody knows how far to trust this judge: give verdicts of people with --human", style="yellow")
        return
    console.print(f"  against people on {checked.rows} rows: {checked.share:.0%} equal, kappa {checked.kappa.value:.2f}; {checked.reason}")
    console.print(f"it may {'' if checked.may_gate else 'not '}decide on a promotion", style="green" if checked.may_gate else "yellow")
