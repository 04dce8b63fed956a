"""How many adapters may be registered: the experiment of S-LoRA (Sheng et al. 2023), 32 slots, uniform and Zipf popularity.

Prints JSON. Arguments: ``popularity``, ``fitting`` or ``memory``, the project, how many requests or adapters, the seed.
"""

from __future__ import annotations

import json
import random
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from adapters import size_of
from runs import tell
from workload import CROWD, Told, ask, finish, median, once, open_service, p95, prompt

SLOTS, FITS = 32, 20  # a working set of FITS adapters has room in the slots, however many are registered
NEW = 16


def resident_bytes() -> int:
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) * 1024


def closed_loop(service: Any, choose: Callable[[], str], requests: int, seed: int) -> dict[str, float]:
    """``CROWD`` clients, each asking again when it has its answer, until all ``requests`` are answered."""
    told: list[Told] = []
    open_now: list[Told] = []
    begin = time.perf_counter()
    while len(told) < requests or open_now:
        open_now = [one for one in open_now if not one.over.is_set()]
        while len(open_now) < CROWD and len(told) < requests:
            open_now.append(ask(service, choose(), prompt(seed + len(told)), NEW))
            told.append(open_now[-1])
        time.sleep(0.002)
    seconds = time.perf_counter() - begin
    finish(told)
    return {"rate": sum(one.tokens for one in told) / seconds, "p95_ms": 1000 * p95(one.wait for one in told)}


def chooser(names: Sequence[str], weights: Sequence[float], seed: int) -> Callable[[], str]:
    chosen = random.Random(seed)
    return lambda: chosen.choices(names, weights)[0]


def opened(root: Path) -> tuple[Any, list[str]]:
    """The service with its slots filled, and all names."""
    service = open_service(root, slots=SLOTS)
    names = [f"a{n}" for n in range(len(service.registry.names()))]
    finish([ask(service, name, prompt(n), 1) for n, name in enumerate(names[:SLOTS])])
    return service, names


def popularity(root: Path, requests: int, seed: int) -> dict[str, float]:
    """Every registered adapter is asked for: alike, and by Zipf's law."""
    service, names = opened(root)
    found = {}
    for kind, weights in (("uniform", [1.0] * len(names)), ("zipf", [1 / (n + 1) for n in range(len(names))])):
        for key, value in closed_loop(service, chooser(names, weights, seed), requests, 10**6 * seed).items():
            found[f"{kind}_{key}"] = value
        seed += 1
    service.stop()
    tell(", ".join(f"{kind} {found[f'{kind}_rate']:.1f} tok/s, p95 {found[f'{kind}_p95_ms']:.0f} ms" for kind in ("uniform", "zipf")))
    return found


def fitting(root: Path, requests: int, seed: int) -> dict[str, float]:
    """Only as many are asked for as fit into the slots."""
    service, names = opened(root)
    found = closed_loop(service, chooser(names[:FITS], [1.0] * len(names[:FITS]), seed), requests, 10**6 * seed)
    service.stop()
    tell(f"{found['rate']:.1f} tok/s")
    return found


def memory(root: Path, count: int, seed: int) -> dict[str, float]:
    """Resident memory with ``count`` adapters against without any, and how long each took to come."""
    service = open_service(root, slots=count)
    before = resident_bytes()
    waits = [once(service, f"a{n}", seed * 10000 + n) for n in range(count)]
    warm = [once(service, f"a{n}", seed * 20000 + n) for n in range(count)]
    grown = resident_bytes() - before
    size = size_of(service.registry.folder(service.resolve("a0")))
    read = [1000 * seconds for seconds in service.engine.loader.seconds]
    service.stop()
    found = {
        "base_mb": before / 1e6,
        f"with{count}_mb": (before + grown) / 1e6,
        "of_their_bytes": grown / (count * size),
        "first_load_p95_ms": p95(read),
        "first_token_p95_ms": 1000 * (p95(waits) - median(warm)),
    }
    tell(", ".join(f"{key} {value:.2f}" for key, value in found.items()))
    return found


if __name__ == "__main__":
    measure = {"popularity": popularity, "fitting": fitting, "memory": memory}[sys.argv[1]]
    print(json.dumps(measure(Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))))
