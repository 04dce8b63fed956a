"""One page for each run that needs nothing beside it: loss curves, what was expected and measured, the settings."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from hatrack.core.atomic import write_text
from hatrack.core.run_folder import REPORT, read_events

__all__ = ["write_report"]


_WIDTH, _HEIGHT, _LEFT, _BOTTOM = 720, 300, 56, 28
_STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;max-width:760px;margin:2rem auto;padding:0 1rem;color:#222}"
    "table{border-collapse:collapse}td,th{padding:.2rem .9rem .2rem 0;text-align:left;vertical-align:top}"
    "th{font-weight:600}svg{width:100%;height:auto}pre{background:#f5f5f5;padding:.8rem;overflow:auto}"
)
_SERIES = (("loss", "training", "#4477aa"), ("eval_loss", "validation", "#cc6677"))

Point = tuple[float, float]


def write_report(run: Path, title: str, settings: Mapping[str, Any], figures: Mapping[str, float]) -> Path:
    """Write ``report.html`` into the folder of a finished run.

    Args:
        settings: everything that decides what the adapter does.
        figures: as in ``TrainedAdapter.statistics``.
    """
    compared = [
        ("seconds", figures["expected_seconds"], figures["seconds"]),
        ("peak memory, MB", figures["expected_rss_mb"], figures["peak_rss_mb"]),
    ]
    rest = {key: value for key, value in figures.items() if not key.startswith("expected_") and key not in ("seconds", "peak_rss_mb")}
    written = json.dumps(settings, indent=1, ensure_ascii=False, sort_keys=True)
    parts = [
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title><style>{_STYLE}</style></head><body>',
        f"<h1>{escape(title)}</h1>",
        _curves(read_events(run)),
        "<h2>Expected and measured</h2>",
        _table(("", "expected at most", "measured"), [(name, f"{a:,.0f}", f"{b:,.0f}") for name, a, b in compared]),
        "<h2>Figures</h2>",
        _table(("", ""), [(key.replace("_", " "), f"{value:,.6g}") for key, value in rest.items()]),
        f"<h2>Settings</h2><pre>{escape(written, quote=False)}</pre></body></html>\n",
    ]
    write_text(run / REPORT, "\n".join(parts))
    return run / REPORT


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = ["".join(f"<th>{escape(cell)}</th>" for cell in head)] if any(head) else []
    lines += ["".join(f"<td>{escape(cell)}</td>" for cell in row) for row in rows]
    return "<table>" + "".join(f"<tr>{line}</tr>" for line in lines) + "</table>"


def _curves(events: Sequence[Mapping[str, Any]]) -> str:
    """Losses over optimizer steps, from zero up."""
    lines = {key: [(float(event["step"]), float(event[key])) for event in events if key in event] for key, _, _ in _SERIES}
    points = [point for line in lines.values() for point in line]
    last, most = max(step for step, _ in points), max(loss for _, loss in points) or 1.0

    def place(point: Point) -> str:
        x = _LEFT + point[0] / last * (_WIDTH - _LEFT - 10)
        y = 10 + (1 - point[1] / most) * (_HEIGHT - _BOTTOM - 10)
        return f"{x:.1f},{y:.1f}"

    shapes = []
    for share in (0, 0.5, 1):
        y = 10 + (1 - share) * (_HEIGHT - _BOTTOM - 10)
        shapes.append(f'<path d="M{_LEFT},{y:.1f}H{_WIDTH - 10}" stroke="#ddd"/>')
        shapes.append(f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{share * most:.3g}</text>')
    shapes.append(f'<text x="{_WIDTH - 10}" y="{_HEIGHT - 8}" text-anchor="end">step {last:.0f}</text>')
    for number, (key, name, colour) in enumerate(_SERIES):
        corners = " ".join(place(point) for point in lines[key])
        shapes.append(f'<polyline points="{corners}" fill="none" stroke="{colour}" stroke-width="1.5"/>')
        shapes += [
            f'<circle cx="{x}" cy="{y}" r="3" fill="{colour}"/>' for x, y in (place(p).split(",") for p in lines[key][-200:] if number)
        ]
        shapes.append(f'<text x="{_LEFT + 90 * number}" y="{_HEIGHT - 8}" fill="{colour}">{name}</text>')
    label = "loss per label, in nats, over optimizer steps"
    return f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" font-size="12" role="img" aria-label="{label}">{"".join(shapes)}</svg><p>{label}</p>'
