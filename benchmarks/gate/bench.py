"""How often the gate lets an adapter through that is no better, and one that is: 1,000 simulated comparisons each.

For right-or-wrong metrics the gate asks for a BCa interval above zero and McNemar's test; for graded ones (token F1) for the
interval alone. Rows are shared: half of them are as easy for one side as for the other.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from hatrack.core.config import GateRules
from hatrack.core.lineage import Comparison
from hatrack.core.verdict import judge
from hatrack.evaluation.statistics import bca_interval, mcnemar_p

COMPARISONS = 1000
SIZES = (50, 200)


def passes(rng: np.random.Generator, rows: int, gain: float, *, graded: bool) -> bool:
    shared = rng.random(rows) < 0.5
    same = rng.random(rows)
    sides = []
    for share in (0.5 + gain, 0.5):
        own = np.where(shared, same, rng.random(rows))
        sides.append(np.clip(own + share - 0.5, 0, 1) if graded else (own < share).astype(float))
    both = np.stack(sides, axis=1)
    p = None if graded else mcnemar_p(both[:, 0], both[:, 1])
    if p is not None and p > 0.05:
        return False  # refused whatever the interval says
    interval = bca_interval(lambda chosen: float((chosen[:, 0] - chosen[:, 1]).mean()), both, 0.95, 13)
    gained = float((both[:, 0] - both[:, 1]).mean())
    return judge(
        "m", "base", [Comparison(metric="m", base="base", difference=gained, interval=interval, p_value=p)], GateRules(), {"base"}
    )[0]


def run(data: Path, work: Path) -> dict[str, float]:
    work.mkdir(parents=True, exist_ok=True)
    claims: dict[str, float] = {}
    for graded in (False, True):
        for rows in SIZES:
            for gain in (0.0, 0.15):
                name = f"{'graded' if graded else 'right'}_{rows}_rows_gain_{round(100 * gain)}_passed"
                kept = work / f"{name}.json"
                if not kept.is_file():  # a finished part is kept
                    rng = np.random.default_rng([rows, round(100 * gain), graded])
                    kept.write_text(json.dumps(sum(passes(rng, rows, gain, graded=graded) for _ in range(COMPARISONS)) / COMPARISONS))
                claims[name] = json.loads(kept.read_text())
    return claims
