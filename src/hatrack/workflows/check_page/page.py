"""Findings to one HTML page: what the template shows, row by row, and the pictures."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from markupsafe import Markup

from hatrack.data.quality.record import counted
from hatrack.data.quality.report import QualityReport
from hatrack.workflows.check import Finding, TokenRow
from hatrack.workflows.check_page import plots

__all__ = ["render_page"]


def render_page(findings: Sequence[Finding]) -> str:
    """The whole page as text. It needs no other file, no network and no script; all data in it is escaped."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        autoescape=True, loader=FileSystemLoader(Path(__file__).parent), undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters.update(n=_number, pct=_percent, of=counted, breakable=_breakable)
    names = [finding.report.adapter for finding in findings]
    title = f"Data quality: {', '.join(names)}"
    return environment.get_template("page.html").render(title=title, views=[_view(i, finding) for i, finding in enumerate(findings)])


@dataclass(frozen=True)
class _Figure:
    name: str
    value: str
    more: str


def _view(number: int, finding: Finding) -> dict[str, Any]:
    report = finding.report
    return {
        "id": f"a{number}",
        "report": report,
        "sections": _sections(finding),
        "figures": _figures(report),
        "plots": _plots(f"a{number}", finding),
        "source": "words" if report.spread is None or report.spread.source == "words" else "meaning",
        "shown": [_tokens(row) for row in finding.shown],
        **_tables(report),
    }


def _sections(finding: Finding) -> list[tuple[str, str]]:
    r = finding.report
    sections = [
        ("advice", "What to do", True),
        ("rows", "Rows", True),
        ("lengths", "Lengths", True),
        ("labels", "Labels", r.labels),
        ("errors", "Likely label errors", r.label_errors),
        ("conflicts", "Contradictions", r.conflicts and r.conflicts.rows),
        ("form", "Form of the answers", r.answers),
        ("variety", "Variety", True),
        ("edges", "Edges", True),
        ("pii", "Personal data", r.privacy),
        ("tokens", "Tokens", finding.shown),
    ]
    return [(key, name) for key, name, present in sections if present]


def _figures(report: QualityReport) -> list[_Figure]:
    rows, tokens, repeats = report.counts.rows, report.lengths, report.repeats
    figures = [_Figure("training rows", _number(rows["train"]), f"{_number(rows['validation'])} validation, {_number(rows['test'])} test")]
    if report.labels:
        figures.append(_Figure("labels", _number(len(report.labels.labels)), f"largest to smallest {report.labels.ratio:.1f} to 1"))
    figures.append(
        _Figure("tokens in a row", _number(tokens.quantiles["p50"]), f"median; 99 % have at most {_number(tokens.quantiles['p99'])}")
    )
    figures.append(_Figure("rows that are cut", _percent(tokens.truncated_share), f"at max_length {_number(tokens.max_length)}"))
    near = "near-duplicates not looked for" if repeats.near is None else f"{_number(repeats.near)} more nearly"
    figures.append(_Figure("repeated rows", _percent(repeats.exact_share), near))
    if report.label_errors:
        errors = report.label_errors
        figures.append(_Figure("likely label errors", _percent(errors.share), counted(errors.flagged, "row")))
    return figures


def _plots(name: str, finding: Finding) -> dict[str, Any]:
    report = finding.report
    drawn = {
        "splits": plots.split_bar(f"{name}-splits", report.counts.rows),
        "lengths": plots.length_histogram(f"{name}-len", report.lengths),
    }
    if len(report.lengths.by_label) > 1:
        drawn["by_label"] = plots.label_lengths(f"{name}-by", report.lengths.by_label)
    if report.labels:
        drawn["labels"] = plots.label_bars(f"{name}-labels", report.labels.labels)
    if finding.points:
        drawn["map"] = plots.embedding_map(f"{name}-map", finding.points)
    if report.label_errors and report.label_errors.confusions:
        drawn["confusions"] = plots.confusion_grid(f"{name}-conf", report.label_errors.confusions)
    # each picture escapes what it writes
    ready = {key: Markup(svg) for key, svg in drawn.items()}  # noqa: S704  # see the line above
    return {"by_label": None, "map": None, **ready}


def _tables(report: QualityReport) -> dict[str, Any]:
    r = report
    return {
        "reasons": [(reason, _number(count)) for reason, count in r.counts.reasons.items()],
        "overlap": [(pair.place, _number(pair.other), pair.text) for pair in r.overlap.pairs] if r.overlap else [],
        "labels": [(one.label, *map(_number, (one.train, one.validation, one.test))) for one in r.labels.labels] if r.labels else [],
        "errors": [(e.place, e.given, e.suggested, f"{e.margin:.2f}", e.text) for e in r.label_errors.errors] if r.label_errors else [],
        "conflicts": [(c.first, c.first_label, c.second, c.second_label, c.text) for c in r.conflicts.pairs] if r.conflicts else [],
        "forms": _forms(report),
        "odd": [(odd.place, odd.found, odd.answer, _number(odd.rows)) for habit in r.answers.habits for odd in habit.rows]
        if r.answers
        else [],
        "variety": _variety(report),
        "slices": [(one.name, *map(_number, one.rows.values())) for one in r.edges.slices],
        "extremes": [(one.place, _number(one.words)) for one in r.edges.extreme_rows],
        "languages": [(code, _percent(share)) for code, share in r.languages.shares.items()] if r.languages else [],
        "privacy": [(kind, _number(count), _percent(r.privacy.shares[kind])) for kind, count in r.privacy.rows.items()]
        if r.privacy
        else [],
    }


def _forms(report: QualityReport) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for habit in report.answers.habits if report.answers else ():
        total = sum(habit.counts.values())
        for i, (form, count) in enumerate(habit.counts.items()):
            rows.append((habit.trait if i == 0 else "", form, _number(count), _percent(count / total)))
    return rows


def _variety(report: QualityReport) -> list[tuple[str, ...]]:
    repeats, near = report.repeats, report.spread
    rows: list[tuple[str, ...]] = [
        (
            "rows that repeat another",
            f"{_number(repeats.exact)} ({_percent(repeats.exact_share)})",
            "equal but for case, punctuation and space",
        )
    ]
    if repeats.near is not None and repeats.near_share is not None:
        rows.append(
            (
                "rows that nearly repeat another",
                f"{_number(repeats.near)} ({_percent(repeats.near_share)})",
                "most of their words are the same",
            )
        )
    for name, found in (("texts", report.diversity.texts), ("answers", report.diversity.answers)):
        if found:
            figures = f"{found.one:.3f} / {found.two:.3f} / {found.three:.3f}"
            rows.append((f"distinct-1 / 2 / 3 of the {name}", figures, f"over {_number(found.words)} words, {report.diversity.basis}"))
    if near:
        of = "words (TF-IDF)" if near.source == "words" else near.source
        rows.append(
            ("mean distance of two rows", f"{near.mean_distance:.2f}", f"0: all alike, 1: nothing in common; by {of}, {near.basis}")
        )
        rows.append(("rows with a near twin", _percent(near.close_share), f"nearest neighbour within cosine distance 0.05, {near.basis}"))
    return rows


def _tokens(row: TokenRow) -> dict[str, Any]:
    runs = [(trained, [piece.replace("\n", "⏎\n") for piece, _ in run]) for trained, run in groupby(row.tokens, key=lambda token: token[1])]
    return {"row": row.row, "trained": row.trained, "total": len(row.tokens), "runs": runs}


def _breakable(label: str) -> Markup:
    """Labels are often long words joined by underscores; a line may end after each."""
    return Markup("<wbr>").join(re.findall(r"[^_./-]*[_./-]|[^_./-]+", label))


def _number(value: int) -> str:
    return f"{value:,}"


def _percent(share: float) -> str:
    return f"{share:.0%}" if share in (0.0, 1.0) else f"{share:.1%}"
