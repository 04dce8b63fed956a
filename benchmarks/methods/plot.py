"""The page's plot and table from the newest recorded run: python benchmarks/methods/plot.py DOCS_FOLDER.

Writes methods.png and methods-scores.json (the data of the plot) into the folder, and prints the table.
"""

from __future__ import annotations

import itertools
import json
import sys
from pathlib import Path
from typing import Any

TITLES = {"causal": "CUAD, 5 clause types, SmolLM2-135M", "encoder": "banking77, 20 intents, all-MiniLM-L6-v2"}
FIGURES = ("score", "low", "high", "gain_low", "p", "params", "seconds", "rss_mb", "estimate", "bytes")


def collect(claims: dict[str, float]) -> dict[str, dict]:
    """``{task: {"base": score, "methods": {method: figures}}}`` from the flat keys of a result."""
    found: dict[str, dict] = {}
    for task in TITLES:
        names = [key.removesuffix(f"_{task}_params") for key in claims if key.endswith(f"_{task}_params")]
        methods = {name: {figure: claims[f"{name}_{task}_{figure}"] for figure in FIGURES} for name in names}
        found[task] = {"base": claims[f"base_{task}_score"], "methods": methods}
    return found


def draw(found: dict[str, dict], path: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 6), layout="constrained", dpi=110)
    for axes, (task, title) in zip(figure.subplots(1, len(TITLES)), TITLES.items(), strict=True):
        for at in found[task]["methods"].values():
            below, above = at["score"] - at["low"], at["high"] - at["score"]
            axes.errorbar(at["params"], at["score"], yerr=[[below], [above]], fmt="o", color="tab:blue", alpha=0.6, markersize=4)
        axes.axhline(found[task]["base"], color="tab:gray", linestyle="--", label="base")
        axes.set(xscale="log", xlabel="trained parameters", ylabel="accuracy (95 % interval)", title=title)
        axes.legend(loc="lower right")
        axes.margins(x=0.08, y=0.12)
    figure.draw_without_rendering()  # where names may stand is known only when the axes have their place
    figure.set_layout_engine("none")
    for axes, task in zip(figure.axes, TITLES, strict=True):
        name_points(axes, {name: (at["params"], at["score"]) for name, at in found[task]["methods"].items()})
    figure.savefig(path)


def name_points(axes: Any, points: dict[str, tuple[float, float]]) -> None:
    """Write each name beside its point where no other name stands, with a line to the point where it is not near."""
    from matplotlib.transforms import Bbox

    pixel = axes.figure.dpi / 72
    at = {name: tuple(axes.transData.transform(point)) for name, point in points.items()}
    taken = [Bbox.from_extents(x - 4, y - 4, x + 4, y + 4) for x, y in at.values()]
    steps = sorted(itertools.product(range(-60, 61, 3), range(-120, 121, 3)), key=lambda step: step[0] ** 2 + step[1] ** 2)
    for name, (x, y) in sorted(at.items(), key=lambda item: item[1]):
        line = {"arrowstyle": "-", "color": "0.6"}
        text = axes.annotate(name, points[name], (0, 0), textcoords="offset points", fontsize=8, va="center", arrowprops=line)
        size = text.get_window_extent()
        for dx, dy in steps:
            left, middle = x + (dx + 5) * pixel - (size.width + 10 * pixel) * (dx < 0), y + dy * pixel
            box = Bbox.from_bounds(left - 1, middle - size.height / 2, size.width + 2, size.height)
            inside = all(axes.bbox.contains(*corner) for corner in box.corners())
            if inside and not any(box.overlaps(other) for other in taken):
                break
        text.set(position=((left - x) / pixel, dy))
        text.arrow_patch.set_visible(abs(dx) > 6 or abs(dy) > 6)
        taken.append(box)


def table(found: dict[str, dict]) -> list[str]:
    headings = ("method", "accuracy (95 % interval)", "trained", "seconds", "peak MB", "expected / peak", "adapter MB")
    lines = []
    for task, title in TITLES.items():
        lines += [f"{title}; base {found[task]['base']:.3f}", "", f"| {' | '.join(headings)} |", "|---" * len(headings) + "|"]
        for name, at in sorted(found[task]["methods"].items(), key=lambda item: -item[1]["score"]):
            score = f"{at['score']:.3f} ({at['low']:.3f} to {at['high']:.3f})"
            rest = f"{at['params']:,.0f} | {at['seconds']:.0f} | {at['rss_mb']:.0f} | {at['estimate']:.2f} | {at['bytes'] / 1e6:.2f}"
            lines.append(f"| `{name}` | {score} | {rest} |")
        lines.append("")
    return lines


def main() -> None:
    newest = sorted((Path(__file__).parent / "results").glob("*.json"))[-1]
    found = collect(json.loads(newest.read_text(encoding="utf-8"))["claims"])
    folder = Path(sys.argv[1])
    draw(found, folder / "methods.png")
    (folder / "methods-scores.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print("\n".join(table(found)))


if __name__ == "__main__":
    main()
