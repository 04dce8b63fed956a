"""Loss curves of a run as a picture, from the events it kept."""

from __future__ import annotations

from pathlib import Path

from hatrack.core.run_folder import read_events

__all__ = ["CURVES", "draw_curves"]

CURVES = "loss.png"


def draw_curves(run: Path, title: str) -> Path:
    """Draw training and validation loss over steps; the best validation is marked."""
    from matplotlib.figure import Figure

    events = read_events(run)
    train = [(e["step"], e["loss"]) for e in events if "loss" in e]
    validation = [(e["step"], e["eval_loss"]) for e in events if "eval_loss" in e]
    figure = Figure(figsize=(7, 4))  # margins that fit all figures: to have them computed takes longer than the picture
    axes = figure.add_axes((0.1, 0.13, 0.87, 0.78))
    if train:
        axes.plot(*zip(*train, strict=True), label="training", color="#4477aa", linewidth=1.2)
    if validation:
        axes.plot(*zip(*validation, strict=True), label="validation", color="#cc6677", marker="o", markersize=4)
        step, loss = min(validation, key=lambda point: point[1])
        side = "right" if step > max(s for s, _ in validation) / 2 else "left"  # towards the middle of the picture
        axes.annotate(f"kept: {loss:.3f}", (step, loss), xytext=(0, 12), textcoords="offset points", ha=side, color="#cc6677")
    axes.set_xlabel("optimizer step")
    axes.set_ylabel("loss per label (nats)")
    axes.set_title(title)
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    losses = [loss for _, loss in (*train, *validation)]
    if min(losses) > 0 and max(losses) > 10 * min(losses):
        axes.set_yscale("log")  # else the first steps flatten all that follows
    else:
        axes.set_ylim(bottom=0)
    path = run / CURVES
    figure.savefig(path, dpi=120)
    return path
