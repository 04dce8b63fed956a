"""The pictures of a bake-off: pure functions from the record to SVG text."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from html import escape

from hatrack.core.lineage import Score
from hatrack.workflows.bakeoff.record import Bakeoff, Curve, Entry
from hatrack.workflows.check_page.svg import WIDTH, figure, line, rect, shortened, text

__all__ = ["learning_curves", "score_bars", "score_by_cost"]

_LEFT, _RIGHT, _TOP, _BOTTOM = 44.0, WIDTH - 16.0, 14.0, 244.0
_NAMES = 150.0
_ROW = 24.0
_COLOURS = 8

Axis = Callable[[float], float]


def score_by_cost(found: Bakeoff) -> str:
    """Score with its interval over the cost of a thousand requests, on a logarithmic axis. Up and to the left is better."""
    shown = [entry for entry in found.entries if entry.cost_per_1000]
    parts, y_of = _score_axis(found)
    if not shown:
        parts.append(text((_LEFT + _RIGHT) / 2, 120, "no approach has a stated price", "m", "middle"))
    else:
        low = math.floor(math.log10(min(entry.cost_per_1000 or 1 for entry in shown)))
        high = max(math.ceil(math.log10(max(entry.cost_per_1000 or 1 for entry in shown))), low + 1)

        def x_of(cost: float) -> float:
            return _LEFT + 12 + (_RIGHT - _LEFT - 24) * (math.log10(cost) - low) / (high - low)

        for power in range(low, high + 1):
            parts += [
                line(x_of(10.0**power), _TOP, x_of(10.0**power), _BOTTOM, "g"),
                text(x_of(10.0**power), _BOTTOM + 17, _money(power), "m", "middle"),
            ]
        for number, entry in enumerate(shown, 1):
            parts += _marked(entry, x_of(entry.cost_per_1000 or 1), y_of, found, number)
    parts.append(text((_LEFT + _RIGHT) / 2, _BOTTOM + 36, "cost of 1,000 requests (logarithmic)", "m", "middle"))
    height = _BOTTOM + 48
    for number, entry in enumerate(shown):
        column, row = number % 3, number // 3
        x, y = 8 + column * WIDTH / 3, height + 12 + 17 * row
        name = f"{number + 1} {entry.approach}"
        parts.append(text(x, y, shortened(name, 23), "limit" if entry.approach == found.recommendation.approach else ""))
    height += 17 * math.ceil(len(shown) / 3) + 8
    described = "; ".join(f"{e.approach}: {e.scores[found.metric].value:.3f} at {e.cost_per_1000:.3g}" for e in shown)
    return figure("cost", f"{found.metric} over the cost of 1,000 requests", described, height, parts)


def score_bars(found: Bakeoff) -> str:
    """Every approach's score with its interval, best first."""
    space, y, parts = WIDTH - _NAMES - 56, 4.0, []
    most = _most(found)
    for entry in found.entries:
        score = entry.scores[found.metric]
        low, high = _ends(score)
        kind = "bad" if entry.approach == found.recommendation.approach else "bar"
        tip = f"{entry.approach}: {score.value:.3f} ({low:.3f} to {high:.3f})"
        end = _NAMES + space * min(score.value, most) / most
        parts += [
            text(_NAMES - 8, y + 15, shortened(entry.approach, 20), "limit" if kind == "bad" else "", "end"),
            rect(_NAMES, y + 4, max(end - _NAMES, 1), _ROW - 9, kind, tip),
            line(_NAMES + space * min(low, most) / most, y + 11.5, _NAMES + space * min(high, most) / most, y + 11.5, "a"),
            text(_NAMES + space * min(high, most) / most + 6, y + 15, f"{score.value:.3f}", "m"),
        ]
        y += _ROW
    described = ", ".join(f"{entry.approach} {entry.scores[found.metric].value:.3f}" for entry in found.entries)
    return figure("scores", f"{found.metric} of every approach", described, y + 4, parts)


def learning_curves(found: Bakeoff) -> str:
    """Score over training rows for each curve, on a logarithmic axis."""
    parts, y_of = _score_axis(found)
    counts = [point.rows for curve in found.curves for point in curve.points]
    low, high = math.log10(min(counts)), math.log10(max(counts))

    def x_of(rows: int) -> float:
        return _LEFT + 16 + (_RIGHT - _LEFT - 32) * ((math.log10(rows) - low) / (high - low) if high > low else 0.5)

    ticks: list[float] = []
    for rows in sorted(set(counts), reverse=True):
        if all(abs(x_of(rows) - other) > 40 for other in ticks):
            ticks.append(x_of(rows))
            parts.append(text(x_of(rows), _BOTTOM + 17, f"{rows:,}", "m", "middle"))
    for number, curve in enumerate(found.curves):
        parts += _curve(curve, number, x_of, y_of)
    parts.append(text((_LEFT + _RIGHT) / 2, _BOTTOM + 36, "training rows (logarithmic)", "m", "middle"))
    height = _BOTTOM + 48
    for number, curve in enumerate(found.curves):
        x, y = 8 + (number % 3) * WIDTH / 3, height + 12 + 17 * (number // 3)
        parts += [rect(x, y - 9, 10, 10, f"c{number % _COLOURS}"), text(x + 15, y, shortened(curve.approach, 20))]
    height += 17 * math.ceil(len(found.curves) / 3) + 8
    described = "; ".join(f"{curve.approach}: {curve.verdict}" for curve in found.curves)
    return figure("curves", "Learning curves", described, height, parts)


def _curve(curve: Curve, number: int, x_of: Callable[[int], float], y_of: Axis) -> list[str]:
    kind, parts = f"c{number % _COLOURS}", []
    places = [(x_of(point.rows), y_of(point.score.value)) for point in curve.points]
    for (x1, y1), (x2, y2) in itertools.pairwise(places):
        parts.append(line(x1, y1, x2, y2, kind))
    for point, (x, y) in zip(curve.points, places, strict=True):
        low, high = _ends(point.score)
        parts += [
            line(x, y_of(low), x, y_of(high), kind),
            _dot(x, y, kind, f"{curve.approach}, {point.rows:,} rows: {point.score.value:.3f}"),
        ]
    return parts


def _marked(entry: Entry, x: float, y_of: Axis, found: Bakeoff, number: int) -> list[str]:
    score = entry.scores[found.metric]
    low, high = _ends(score)
    chosen = entry.approach == found.recommendation.approach
    tip = f"{entry.approach}: {score.value:.3f} ({low:.3f} to {high:.3f}), {entry.cost_per_1000:.3g} for 1,000"
    return [
        line(x, y_of(low), x, y_of(high), "limit" if chosen else "range"),
        _dot(x, y_of(score.value), "bad" if chosen else "bar", tip),
        text(x + 7, y_of(score.value) - 5, str(number), "limit" if chosen else ""),
    ]


def _score_axis(found: Bakeoff) -> tuple[list[str], Axis]:
    """Lines and figures of the score's axis, and where a score lies on it."""
    most = _most(found)

    def y_of(value: float) -> float:
        return _BOTTOM - (_BOTTOM - _TOP) * min(value, most) / most

    parts = []
    for share in (0, 0.25, 0.5, 0.75, 1):
        y = y_of(most * share)
        parts += [line(_LEFT, y, _RIGHT, y, "a" if share == 0 else "g"), text(_LEFT - 6, y + 4, f"{most * share:.2f}", "m", "end")]
    return parts, y_of


def _most(found: Bakeoff) -> float:
    """The top of the axis: 1 for shares."""
    highs = [_ends(entry.scores[found.metric])[1] for entry in found.entries]
    return 1.0 if max(highs) <= 1 else max(highs)


def _ends(score: Score) -> tuple[float, float]:
    return (score.interval.low, score.interval.high) if score.interval else (score.value, score.value)


def _dot(x: float, y: float, kind: str, tip: str) -> str:
    return f'<circle class="{kind}" cx="{x:.1f}" cy="{y:.1f}" r="5"><title>{escape(tip)}</title></circle>'


def _money(power: int) -> str:
    return f"{10.0**power:,.0f}" if power >= 0 else f"{10.0**power:.{-power}f}"
