"""The page's plot and table from the newest recorded run: python benchmarks/methods/plot.py DOCS_FOLDER.

Writes methods.png and methods-scores.json (the data of the plot) into the folder, and prints the table.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

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

    figure = Figure(figsize=(11, 5), layout="constrained")
    for axes, (task, title) in zip(figure.subplots(1, len(TITLES)), TITLES.items(), strict=True):
        for name, at in found[task]["methods"].items():
            below, above = at["score"] - at["low"], at["high"] - at["score"]
            axes.errorbar(at["params"], at["score"], yerr=[[below], [above]], fmt="o", color="tab:blue", alpha=0.6, markersize=4)
            axes.annotate(name, (at["params"], at["score"]), xytext=(4, 3), textcoords="offset points", fontsize=8)
        axes.axhline(found[task]["base"], color="tab:gray", linestyle="--", label="base")
        axes.set(xscale="log", xlabel="trained parameters", ylabel="accuracy (95 % interval)", title=title)
        axes.legend(loc="lower right")
    figure.savefig(path, dpi=110)


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
