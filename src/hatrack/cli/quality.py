"""The quality report on a screen: what was found, what to do, and the rows behind it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from hatrack.data.quality.record import counted
from hatrack.data.quality.report import QualityReport

__all__ = ["quality_lines"]

_SHOWN = 8  # rows of each list; the page and the JSON have more
_COLOURS = {"serious": "bold red", "warning": "yellow", "note": "cyan"}


def quality_lines(report: QualityReport) -> Iterator[RenderableType]:
    """One adapter's report from top to bottom."""
    yield _overview(report)
    yield _advice(report)
    yield from _details(report)


def _overview(report: QualityReport) -> Table:
    verdict = "training refuses this data" if report.refusal else "this data can be trained on"
    table = Table(title=f"{report.adapter}: {verdict}", title_justify="left", show_header=False)
    for name, found in _figures(report):
        table.add_row(Text(name), Text(found))
    return table


def _figures(report: QualityReport) -> Iterator[tuple[str, str]]:
    rows, tokens, repeats = report.counts.rows, report.lengths, report.repeats
    yield "rows", ", ".join(f"{count:,} {split}" for split, count in rows.items()) + f"; {report.counts.rejected:,} left out"
    if report.labels:
        most, least = report.labels.labels[0], report.labels.labels[-1]
        yield "labels", f"{len(report.labels.labels):,}: from {most.train:,} rows ({most.label}) to {least.train:,} ({least.label})"
    at = tokens.quantiles
    cut = f"{counted(tokens.truncated_rows, 'row')} cut at {tokens.max_length:,}"
    sampled = "" if tokens.basis.whole else f" ({tokens.basis})"
    yield "tokens in a row", f"median {at['p50']:,}, 95 % {at['p95']:,}, 99 % {at['p99']:,}, longest {at['max']:,}; {cut}{sampled}"
    yield "trained tokens", f"{tokens.trained:,} of {tokens.total:,} ({tokens.trained_share:.1%})"
    near = "" if repeats.near is None else f", {repeats.near:,} nearly ({repeats.near_share:.1%})"
    yield "repeated rows", f"{repeats.exact:,} exactly ({repeats.exact_share:.1%}){near}"
    words = report.diversity.texts
    yield "variety", f"distinct-1/2/3 of the words {words.one:.2f} / {words.two:.2f} / {words.three:.2f}"
    if report.spread:
        of = "words" if report.spread.source == "words" else "embeddings"
        yield (
            "",
            f"mean distance {report.spread.mean_distance:.2f}, near twins {report.spread.close_share:.1%} (by {of}, {report.spread.basis})",
        )
    if report.answers:
        yield "answers", ", ".join(_habits(report))
    if report.label_errors:
        errors = report.label_errors
        yield (
            "label errors",
            f"{errors.flagged:,} likely ({errors.share:.1%} {errors.basis}); a model agrees with {errors.agreement:.1%} of the labels",
        )
    if report.languages:
        yield "languages", ", ".join(f"{code} {share:.1%}" for code, share in list(report.languages.shares.items())[:5])
    if report.privacy:
        kinds = [f"{kind} in {counted(count, 'row')}" for kind, count in report.privacy.rows.items()]
        yield "personal data", ", ".join(kinds) or "none found"
    if report.overlap:
        yield f"in {report.overlap.file}", f"{counted(report.overlap.rows, 'training row')} also there"
    yield "digest", report.digest[:12]


def _habits(report: QualityReport) -> Iterator[str]:
    for habit in report.answers.habits if report.answers else ():
        form, count = next(iter(habit.counts.items()))
        yield f"{form} {count / sum(habit.counts.values()):.1%}"


def _advice(report: QualityReport) -> RenderableType:
    if not report.advice:
        return Text("nothing to do: no rule of thumb was broken", style="green")
    table = _grid()
    for one in report.advice:
        said = Text(one.what, style="bold").append(f"\n{one.because}", style="not bold dim").append(f"\n→ {one.do}\n", style="not bold")
        table.add_row(Text(one.severity, style=_COLOURS[one.severity]), said)
    return table


def _details(report: QualityReport) -> Iterator[RenderableType]:
    if report.counts.reasons:
        yield from _list("rows left out", [(f"{n:,}", reason, "") for reason, n in report.counts.reasons.items()])
    if report.label_errors:
        found = [(str(e.place), e.text, f"{e.given} → {e.suggested} ({e.margin:.2f})") for e in report.label_errors.errors]
        yield from _list(f"likely label errors, {report.label_errors.flagged:,} in all: given → suggested (margin)", found)
    if report.conflicts:
        pairs = [(f"{c.first}\n{c.second}", f"{c.first_label}\n{c.second_label}", c.text) for c in report.conflicts.pairs]
        yield from _list(f"contradictions, {report.conflicts.rows:,} in all", pairs)
    odd = [odd for habit in (report.answers.habits if report.answers else ()) for odd in habit.rows]
    yield from _list("answers out of line", [(str(one.place), one.answer, f"{one.found}, {counted(one.rows, 'row')}") for one in odd])
    if report.overlap:
        shared = [(str(pair.place), pair.text, f"row {pair.other:,}") for pair in report.overlap.pairs]
        yield from _list(f"rows that also stand in {report.overlap.file}", shared)


def _list(title: str, rows: Sequence[tuple[str, str, str]]) -> Iterator[RenderableType]:
    """Rows as a place, a text and a remark below it: long names then have the whole width."""
    if not rows:
        return
    more = f"; the first {_SHOWN}" if len(rows) > _SHOWN else ""
    yield Text(f"{title}{more}", style="italic")
    table = _grid()
    for place, said, remark in rows[:_SHOWN]:
        table.add_row(Text(place, style="dim"), Text(said).append(f"\n{remark}" if remark else "", style="dim"))
    yield table
    yield Text()


def _grid() -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    return table
