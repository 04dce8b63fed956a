"""Ours: tokens a second of the base and of adapters, what switching costs, what a cold adapter costs. Prints JSON."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from workload import CROWD, median, once, open_service, p95, rate


def throughput(root: Path, repeats: int) -> dict[str, float]:
    service = open_service(root)
    every = [f"a{n}" for n in range(CROWD)]
    rate(service, every, 0)  # adapters loaded
    found: dict[str, list[float]] = {}
    for repeat in range(1, repeats + 1):  # one after the other, so that a busy moment of the machine hits all alike
        for count in (1, 8, CROWD):
            found.setdefault(f"base{count}", []).append(rate(service, ["base"] * count, 10 * repeat))
            found.setdefault(f"mixed{count}", []).append(rate(service, every[:count], 10 * repeat + 1))
    claims = {key: median(values) for key, values in found.items()}
    same, other = [], []
    for n in range(60):
        here, there = f"a{n % 8}", f"a{8 + n % 8}"
        once(service, here, 90000 + n)
        same.append(once(service, here, 91000 + n))
        other.append(once(service, there, 92000 + n))
    service.stop()
    return {**claims, "warm_ms": 1000 * median(same), "switch_ms": 1000 * (median(other) - median(same))}


def loads(root: Path) -> dict[str, float]:
    """Four slots, sixteen adapters in turn: none is there when it is asked for."""
    service = open_service(root, slots=4)
    cold, warm = [], []
    for n in range(6 * CROWD):
        cold.append(once(service, f"a{n % CROWD}", 200000 + n))
        warm.append(once(service, f"a{n % CROWD}", 300000 + n))
    service.stop()
    return {"cold_load_p95_ms": 1000 * (p95(cold) - median(warm))}


if __name__ == "__main__":
    project = Path(sys.argv[1])
    print(json.dumps({**throughput(project, int(sys.argv[2])), **loads(project)}))
