"""A sweep as a picture: scores over trained parameters and over learning rates."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hatrack.core.atomic import staged_file
from hatrack.training.sweep.trial import Trial

__all__ = ["draw_sweep"]

# Paul Tol's bright scheme, told apart by colour-blind readers too; more methods than colours differ by marker.
_COLOURS = ("#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377")
_MARKERS = ("o", "s", "^", "D")


def draw_sweep(path: Path, trials: Sequence[Trial], chosen: Trial, score: str, higher_is_better: bool, name: str) -> Path:
    """Draw every score of every trial that has one.

    The larger a marker, the longer the training; the scores of one trial are joined by a line. Only markers of one size
    can be compared.

    Raises:
        StorageError: ``path`` cannot be written.
    """
    from matplotlib.figure import Figure

    methods = list(dict.fromkeys(trial.settings.method for trial in trials))
    figure = Figure(figsize=(10, 4.2), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    lengths = sorted({outcome.epochs for trial in trials for outcome in trial.outcomes})
    for axes, label in ((left, "trained parameters"), (right, "peak learning rate")):
        for trial in trials:
            number = methods.index(trial.settings.method)
            at = trial.settings.parameters if axes is left else trial.settings.learning_rate
            _draw(axes, trial, float(at), lengths, _COLOURS[number % len(_COLOURS)], _MARKERS[number // len(_COLOURS) % len(_MARKERS)])
        at = chosen.settings.parameters if axes is left else chosen.settings.learning_rate
        axes.scatter([at], [chosen.last.score], s=330, facecolors="none", edgecolors="black", linewidths=1.3, zorder=4)
        axes.set_xscale("log")
        axes.margins(x=0.12, y=0.15)
        axes.set_xlabel(label)
        axes.grid(alpha=0.3)
    left.set_ylabel(f"{score.replace('_', ' ')} on validation rows ({'higher' if higher_is_better else 'lower'} is better)")
    figure.suptitle(f"{name}: {len(trials)} trials, {sum(trial.failed for trial in trials)} failed")
    _legend(figure, methods, lengths, chosen.number)
    with staged_file(path) as stream:
        figure.savefig(stream, dpi=120, format="png")
    return path


def _draw(axes: Any, trial: Trial, at: float, lengths: Sequence[float], colour: str, marker: str) -> None:
    points = [(outcome.epochs, outcome.score) for outcome in trial.outcomes if outcome.score is not None]
    axes.plot([at] * len(points), [score for _, score in points], color=colour, linewidth=0.8, alpha=0.6)
    for epochs, score in points:
        axes.scatter([at], [score], s=_size(epochs, lengths), color=colour, marker=marker, alpha=0.75, linewidths=0, zorder=3)


def _legend(figure: Any, methods: Sequence[str], lengths: Sequence[float], chosen: int) -> None:
    from matplotlib.lines import Line2D

    def entry(label: str, colour: str, marker: str, size: float) -> Line2D:
        return Line2D([], [], linestyle="", marker=marker, color=colour, markersize=size, label=label)

    entries = [
        entry(name, _COLOURS[i % len(_COLOURS)], _MARKERS[i // len(_COLOURS) % len(_MARKERS)], 7.0) for i, name in enumerate(methods)
    ]
    entries += [entry(f"{epochs:.2g} epochs", "#999999", "o", _size(epochs, lengths) ** 0.5) for epochs in lengths]
    entries.append(
        Line2D([], [], linestyle="", marker="o", markerfacecolor="none", color="black", markersize=15, label=f"chosen: trial {chosen}")
    )
    figure.legend(handles=entries, loc="outside right upper", frameon=False)


def _size(epochs: float, lengths: Sequence[float]) -> float:
    """Marker area in square points, by the place among the lengths of training."""
    return 25.0 + 45.0 * lengths.index(epochs)
