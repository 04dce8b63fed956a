"""docs/benchmarks.md from the benchmarks themselves: what each measures, its command, and its newest recorded run."""

from __future__ import annotations

import ast
import json
from pathlib import Path

__all__ = ["benchmark_page"]

ROOT = Path(__file__).resolve().parents[1] / "benchmarks"
HEAD = """# Benchmarks

Every figure in these pages comes from a benchmark that anybody can run. Each is one folder with its peer scripts and all recorded
runs, those on a busy machine too; a run names its machine and the versions of the libraries. Speeds are ratios to a peer in the
same run, where there is a peer.

```sh
make bench NAME=dedupe DATA=/path/to/public/data
```

The public data sets are not part of Hatrack; `benchmarks/run.py --help` says what is expected where. A name without a
recorded run was never run to its end: nothing in these pages rests on it.
"""


def benchmark_page() -> str:
    """The whole page."""
    return "\n".join([HEAD, *(_section(path.parent) for path in sorted(ROOT.glob("*/bench.py")))])


def _section(folder: Path) -> str:
    about = ast.get_docstring(ast.parse((folder / "bench.py").read_text(encoding="utf-8"))) or ""
    first, _, rest = about.partition("\n")
    lines = [f"## {folder.name}", "", first, ""]
    if details := rest.strip("\n"):
        lines += ["```text", *(line.rstrip() for line in details.splitlines()), "```", ""]
    runs = sorted((folder / "results").glob("*.json"))
    if not runs:
        return "\n".join([*lines, "No recorded run.", ""])
    newest = json.loads(runs[-1].read_text(encoding="utf-8"))
    machine = newest["machine"]
    day = runs[-1].stem[:10]
    lines += [
        f"Newest of {len(runs)} recorded runs: {day}, {machine['cpu']}, {machine['cores']} cores, GPU {machine['gpu']}, "
        f"{newest['seconds'] / 60:.0f} min; `{runs[-1].relative_to(ROOT.parent)}`.",
        "",
        "| figure | value |",
        "|---|---|",
        *(f"| {name.replace('_', ' ')} | {_shown(value)} |" for name, value in newest["claims"].items()),
        "",
    ]
    return "\n".join(lines)


def _shown(value: float | str) -> str:
    if isinstance(value, str):
        return value
    return f"{value:,.0f}" if float(value).is_integer() and abs(value) < 1e9 else f"{value:.4g}"
