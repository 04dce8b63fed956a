"""A bake-off in words and figures: the same on the screen and on the page."""

from __future__ import annotations

from hatrack.core.lineage import Score
from hatrack.workflows.bakeoff.record import Bakeoff, Entry

__all__ = ["cells", "headings", "milliseconds", "price", "scored"]


def headings(found: Bakeoff) -> list[tuple[str, bool]]:
    """The table's columns; True where figures stand."""
    return [
        ("approach", False),
        (f"{found.metric} ({found.confidence:.0%} interval)", True),
        ("p", True),
        ("rows", True),
        ("training", True),
        ("trained", True),
        ("memory MB", True),
        ("disk MB", True),
        ("p50 ms", True),
        ("p95 ms", True),
        ("per 1,000", True),
        ("new facts", False),
        ("explains", False),
    ]


def cells(entry: Entry, found: Bakeoff) -> list[str]:
    """One line of the table."""
    return [
        entry.approach,
        scored(entry.scores[found.metric]),
        "best" if entry.p is None else "<.0001" if entry.p < 0.0001 else f"{entry.p:.4f}",
        f"{entry.rows:,}",
        _seconds(entry.fit_seconds),
        _count(entry.parameters),
        f"{entry.memory_mb:,.0f}",
        f"{entry.nbytes / 2**20:,.1f}",
        milliseconds(entry.latency_p50_ms),
        milliseconds(entry.latency_p95_ms),
        price(entry.cost_per_1000),
        "retrain" if entry.retrain else "free",
        "yes" if entry.explainable else "no",
    ]


def scored(score: Score) -> str:
    """A score and its interval."""
    return f"{score.value:.3f}" + (f" ({score.interval.low:.3f}-{score.interval.high:.3f})" if score.interval else "")


def milliseconds(value: float) -> str:
    """With a digit behind the point where that is more than none."""
    return f"{value:.1f}" if value < 10 else f"{value:,.0f}"


def price(value: float | None) -> str:
    """In the currency of the stated prices."""
    if value is None:
        return "not stated"
    return "<.0001" if value < 0.0001 else f"{value:.2g}" if value < 100 else f"{value:,.0f}"


def _seconds(value: float) -> str:
    return f"{value:.1f} s" if value < 90 else f"{value / 60:.1f} min"


def _count(value: int) -> str:
    return f"{value / 1e6:.1f}M" if value >= 1e6 else f"{value / 1e3:.1f}k" if value >= 1e3 else str(value)
