"""Pictures of a table model: what counts, how the score depends on a column, and one row's reasons."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from hatrack.core.atomic import write_bytes
from hatrack.tabular.explaining.reasons import Explanation

__all__ = ["plot_dependence", "plot_importance", "plot_reasons"]

_BLUE, _RED = "#2b6cb0", "#c05621"
_MOST = 15


def plot_importance(version: str, means: Mapping[str, float], unit: str, folder: Path) -> Path:
    """Bars of mean |SHAP|: ``importance.png``."""
    names = list(means)[:_MOST][::-1]
    figure, axes = _canvas(0.35 * len(names) + 1.2)
    axes.barh(names, [means[name] for name in names], color=_BLUE)
    axes.set_xlabel(f"mean size of SHAP values ({unit})")
    axes.set_title(f"{version}: what counts", loc="left")
    return _written(figure, folder / "importance.png")


def plot_dependence(column: str, points: Sequence[tuple[str, float]], about: str, folder: Path) -> Path:
    """The mean score at each value: a line for numbers, bars for levels; ``dependence-COLUMN.png``."""
    labels, scores = [label for label, _ in points], [score for _, score in points]
    figure, axes = _canvas(3.4)
    try:
        axes.plot([float(label) for label in labels], scores, marker="o", color=_BLUE)
    except ValueError:
        axes.bar(labels, scores, color=_BLUE)
        axes.tick_params(axis="x", rotation=30)
        for label in axes.get_xticklabels():
            label.set_ha("right")
    axes.set_xlabel(column)
    axes.set_ylabel(f"mean score ({about})")
    axes.set_title(f"how the score depends on {column}", loc="left")
    return _written(figure, folder / f"dependence-{_file_name(column)}.png")


def plot_reasons(one: Explanation, folder: Path) -> Path:
    """One row's reasons as bars, those that raise the score to the right: ``row-NUMBER.png``."""
    kept = one.reasons[:_MOST][::-1]
    figure, axes = _canvas(0.35 * len(kept) + 1.2)
    axes.barh(
        [f"{reason.column} = {reason.value}" for reason in kept],
        [reason.contribution for reason in kept],
        color=[_RED if reason.contribution > 0 else _BLUE for reason in kept],
    )
    axes.axvline(0, color="black", linewidth=0.8)
    axes.set_xlabel(f"contribution ({one.unit})")
    axes.set_title(f"row {one.row}: " + (f"probability of {one.about} {one.score:.3f}" if one.about else f"{one.score:g}"), loc="left")
    return _written(figure, folder / f"row-{one.row}.png")


def _canvas(height: float) -> tuple[Figure, Any]:
    figure = Figure(figsize=(7.5, max(2.2, height)), layout="constrained")
    axes = figure.subplots()
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _written(figure: Figure, path: Path) -> Path:
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=120)
    write_bytes(path, stream.getvalue())
    return path


def _file_name(column: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "_", column).strip("._") or "column"
