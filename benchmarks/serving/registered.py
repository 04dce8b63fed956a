"""How many adapters may be registered: the experiment of S-LoRA (Sheng et al. 2023), 32 slots, uniform and Zipf popularity.

Prints JSON. Arguments: the project, the seed; or ``memory``, the project.
"""

from __future__ import annotations

import json
import random
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from workload import CROWD, Told, ask, finish, median, once, open_service, p95, prompt

SLOTS, FITS = 32, 20  # a working set of FITS adapters has room in the slots, however many are registered
REQUESTS, NEW = 96, 16


def resident_bytes() -> int:
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) * 1024


def closed_loop(service: Any, choose: Callable[[], str], seed: int) -> dict[str, float]:
    """``CROWD`` clients, each asking again when it has its answer, until ``REQUESTS`` are answered."""
    told: list[Told] = []
    open_now: list[Told] = []
    begin = time.perf_counter()
    while len(told) < REQUESTS or open_now:
        open_now = [one for one in open_now if not one.over.is_set()]
        while len(open_now) < CROWD and len(told) < REQUESTS:
            open_now.append(ask(service, choose(), prompt(seed + len(told)), NEW))
            told.append(open_now[-1])
        time.sleep(0.002)
    seconds = time.perf_counter() - begin
    finish(told)
    return {"rate": sum(one.tokens for one in told) / seconds, "p95_ms": 1000 * p95(one.wait for one in told)}


def chooser(names: Sequence[str], weights: Sequence[float], seed: int) -> Callable[[], str]:
    chosen = random.Random(seed)
    return lambda: chosen.choices(names, weights)[0]


def popularity(root: Path, seed: int) -> dict[str, float]:
    """One registry: all its adapters asked for, alike and by Zipf's law; then only as many as fit."""
    service = open_service(root, slots=SLOTS)
    names = [f"a{n}" for n in range(len(service.registry.names()))]
    found = {}
    fitting = names[:FITS]
    finish([ask(service, name, prompt(n), 1) for n, name in enumerate(fitting)])
    kinds = {
        "fitting": (fitting, [1.0] * len(fitting)),
        "zipf": (names, [1 / (n + 1) for n in range(len(names))]),
        "uniform": (names, [1.0] * len(names)),
    }
    for number, (kind, (pool, weights)) in enumerate(kinds.items()):
        for key, value in closed_loop(service, chooser(pool, weights, seed + number), 10**6 * (seed + number)).items():
            found[f"{kind}_{key}"] = value
    service.stop()
    return found


def memory(root: Path, count: int, size: int) -> dict[str, float]:
    """Resident memory with ``count`` adapters against without any, and how long each took to come."""
    service = open_service(root, slots=count)
    before = resident_bytes()
    waits = [once(service, f"a{n}", n) for n in range(count)]
    warm = [once(service, f"a{n}", 5000 + n) for n in range(count)]
    grown = resident_bytes() - before
    service.stop()
    load = 1000 * (p95(waits) - median(warm))
    return {"memory_base_mb": before / 1e6, f"memory{count}_of_their_bytes": grown / (count * size), "load_p95_ms": load}


if __name__ == "__main__":
    if sys.argv[1] == "memory":
        print(json.dumps(memory(Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))))
    else:
        print(json.dumps(popularity(Path(sys.argv[1]), int(sys.argv[2]))))
