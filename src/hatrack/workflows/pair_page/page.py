"""Two sets of predictions to one HTML page. It loads nothing; its own script filters the rows and writes them as JSONL."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup

from hatrack.core.figures import p_words
from hatrack.core.lineage import Comparison
from hatrack.evaluation.metrics.base import Answers, Metric
from hatrack.evaluation.predictions import Predictions
from hatrack.workflows import check_page

__all__ = ["render_pair"]

_MOST = 5000  # rows that a browser scrolls through without effort
_TEXTS = ("text", "prompt", "question", "input")
_EQUAL = 1e-9


def render_pair(
    names: tuple[str, str],
    pair: tuple[Predictions, Predictions],
    answers: tuple[Answers, Answers],
    metric: Metric,
    differences: Sequence[Comparison],
) -> str:
    """The whole page as text. Rows where the two differ most by ``metric`` stand first.

    The page quotes the rows it shows; all data in it is escaped.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    folder = Path(__file__).parent
    environment = Environment(
        autoescape=True,
        loader=FileSystemLoader([folder, *map(Path, check_page.__path__)]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    rows = _rows(pair, answers, metric)
    script = (folder / "pair.js").read_text(encoding="utf-8")
    return environment.get_template("pair.html").render(
        names=names,
        metric=metric.name,
        total=len(rows),
        shown=min(len(rows), _MOST),
        differences=[
            (d.metric, f"{d.difference:+.4f}", f"{d.interval.low:+.4f} to {d.interval.high:+.4f}", p_words(d.p_value)) for d in differences
        ],
        # a closing tag inside the data would end the block it stands in
        data=Markup(json.dumps(rows[:_MOST], ensure_ascii=False).replace("<", "\\u003c")),  # noqa: S704  # see above
        script=Markup(script),  # noqa: S704  # our own file
        # nothing but this very script may run
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    )


def _rows(pair: tuple[Predictions, Predictions], answers: tuple[Answers, Answers], metric: Metric) -> list[dict[str, Any]]:
    sign = 1 if metric.higher_is_better else -1
    figures = [metric.rows(one) for one in answers]
    found = []
    for i, row in enumerate(pair[0].columns):
        first, second = (metric.total(rows[i : i + 1]) for rows in figures)
        gap = sign * (first - second)
        found.append(
            {
                "id": pair[0].ids[i],
                "text": next((str(row[name]) for name in _TEXTS if row.get(name)), ""),
                "expected": pair[0].expected[i],
                "a": pair[0].given[i],
                "b": pair[1].given[i],
                "score_a": round(first, 4),
                "score_b": round(second, 4),
                "better": "a" if gap > _EQUAL else "b" if gap < -_EQUAL else "",
                "gap": round(abs(gap), 4),
            }
        )
    return sorted(found, key=lambda one: (-one["gap"], one["a"] == one["b"]))
