"""Lines over steps as the geometry of an SVG picture; the template draws it, the style sheet colours it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["HEIGHT", "WIDTH", "Chart", "Line", "Series", "Tick", "chart_of"]

WIDTH, HEIGHT = 720, 280
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 12, 12, 28
_MOST = 600  # points of a line: more are not seen


@dataclass(frozen=True)
class Series:
    """One line: ``(step, value)`` in order."""

    name: str
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Line:
    """One line in pixels; ``points`` as SVG's ``polyline`` takes them, ``dots`` where there are few."""

    name: str
    points: str
    dots: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Tick:
    """A mark of an axis: where, and what it says."""

    at: float
    text: str


@dataclass(frozen=True)
class Chart:
    """A picture of ``WIDTH`` by ``HEIGHT``."""

    lines: tuple[Line, ...]
    across: tuple[Tick, ...]
    upward: tuple[Tick, ...]
    summary: str


def chart_of(series: Sequence[Series]) -> Chart | None:
    """A chart of all lines on common axes, the upward one logarithmic where values allow; None where there is no point."""
    shown = [
        Series(one.name, tuple(point for point in one.points[:: max(1, len(one.points) // _MOST)] if math.isfinite(point[1])))
        for one in series
    ]
    shown = [one for one in shown if one.points]
    if not shown:
        return None
    values = [value for one in shown for _, value in one.points]
    last = max(step for one in shown for step, _ in one.points)
    logarithmic = min(values) > 0 and max(values) / min(values) > 5
    scale = math.log10 if logarithmic else float
    low, high = scale(min(values)), scale(max(values))
    room = (high - low) * 0.05 or 0.5
    low, high = low - room, high + room

    def place(step: float, value: float) -> tuple[float, float]:
        across = _LEFT + (WIDTH - _LEFT - _RIGHT) * step / max(last, 1)
        return round(across, 1), round(HEIGHT - _BOTTOM - (HEIGHT - _TOP - _BOTTOM) * (scale(value) - low) / (high - low), 1)

    lines = []
    for one in shown:
        dots = tuple(place(*point) for point in one.points)
        lines.append(Line(one.name, " ".join(f"{x},{y}" for x, y in dots), dots if len(dots) < 30 else ()))
    levels = [low + room + (high - low - 2 * room) * part for part in (0, 0.5, 1)]
    upward = [10**level if logarithmic else level for level in levels]
    return Chart(
        tuple(lines),
        tuple(Tick(place(last * part, upward[0])[0], f"{last * part:,.0f}") for part in (0, 0.5, 1)),
        tuple(Tick(place(0, value)[1], f"{value:.3g}") for value in dict.fromkeys(upward)),
        "; ".join(f"{one.name}: {one.points[0][1]:.3g} at step {one.points[0][0]:.0f}, {one.points[-1][1]:.3g} at step "
                  f"{one.points[-1][0]:.0f}" for one in shown),
    )  # fmt: skip
