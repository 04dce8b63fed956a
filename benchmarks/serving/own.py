"""Ours: tokens a second of the base and of adapters, what switching costs, what a cold adapter costs. Prints JSON.

Arguments: project, int8 or fp32, repeats, how often the small things are timed.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from runs import tell
from speeds import speeds
from workload import CROWD, finish, median, once, open_service, p95, prompt, rate, tokens_of

EVERY = [f"a{n}" for n in range(CROWD)]


def throughput(service: Any, repeats: int) -> dict[str, float]:
    rate(service, EVERY, 0)  # adapters loaded
    return speeds(lambda kind, count, seed: rate(service, EVERY[:count] if kind == "mixed" else ["base"] * count, seed), repeats)


def switching(service: Any, times: int) -> dict[str, float]:
    """The first token of an adapter that was just used, and of another one: both lie in their slots."""
    same, other = [], []
    for n in range(times):
        here, there = f"a{n % 8}", f"a{8 + n % 8}"
        once(service, here, 90000 + n)
        same.append(once(service, here, 91000 + n))
        other.append(once(service, there, 92000 + n))
    tell(f"first token {1000 * median(same):.1f} ms, of another adapter {1000 * median(other):.1f} ms")
    return {"warm_ms": 1000 * median(same), "switch_ms": 1000 * (median(other) - median(same))}


def loads(root: Path, precision: str, times: int) -> dict[str, float]:
    """Four slots, sixteen adapters in turn: none is there when it is asked for."""
    service = open_service(root, slots=4, precision=precision)
    cold, warm = [], []
    for n in range(times):
        cold.append(once(service, f"a{n % CROWD}", 200000 + n))
        warm.append(once(service, f"a{n % CROWD}", 300000 + n))
    thread = [1000 * seconds for seconds in service.engine.loader.seconds]
    service.stop()
    tell(f"cold adapters: reading {median(thread):.1f} ms, p95 {p95(thread):.1f} ms")
    return {"cold_load_p95_ms": 1000 * (p95(cold) - median(warm)), "load_p95_ms": p95(thread)}


if __name__ == "__main__":
    project, precision, repeats, times = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    service = open_service(project, precision=precision)
    figures: dict[str, Any] = throughput(service, repeats)
    if precision == "fp32":  # to be compared with what transformers and PEFT make of the same prompts
        heard = [tokens_of(service, name, prompt(n)) for n, name in enumerate(EVERY)]
        finish(heard)
        figures["tokens"] = [one.ids for one in heard]
        service.stop()
    else:
        figures |= switching(service, times)
        service.stop()
        figures |= loads(project, precision, times)
    print(json.dumps(figures))
