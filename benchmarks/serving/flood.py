"""One adapter gets 50 requests a second for a minute; four others a request a second among them. Prints JSON.

What counts is how long the four wait for their first token, against a minute without the flood; that no request is lost;
and that each one that is refused is told so (Busy).
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

from runs import tell
from workload import Told, ask, finish, open_service, p95, prompt

QUIET = ("a1", "a2", "a3", "a4")
FLOOD, PER_SECOND, NEW = "a0", 50, 16


def minute(service: Any, seconds: int, flood: int, seed: int) -> tuple[list[Told], list[Told]]:
    """Requests on a clock, whatever becomes of them: of the quiet ones, and of the flood."""
    quiet, flooding = [], []
    begin = time.perf_counter()
    for tick in range(seconds * PER_SECOND):
        time.sleep(max(0.0, begin + tick / PER_SECOND - time.perf_counter()))
        if tick % PER_SECOND == PER_SECOND // 2:
            quiet.append(ask(service, QUIET[len(quiet) % len(QUIET)], prompt(seed + tick), NEW))
        for n in range(flood):
            flooding.append(ask(service, FLOOD, prompt(seed * 7 + tick * 10 + n), NEW))
    finish([*quiet, *flooding])
    return quiet, flooding


def main(root: Path, seconds: int) -> dict[str, float]:
    service = open_service(root, slots=32)
    finish([ask(service, name, prompt(n), 1) for n, name in enumerate((FLOOD, *QUIET))])
    alone, _ = minute(service, seconds, 0, 10**7)
    beside, flooding = minute(service, seconds, 1, 2 * 10**7)
    service.stop()
    quiet, loud = 1000 * p95(one.wait for one in alone), 1000 * p95(one.wait for one in beside if not one.refused)
    answered = sum(not one.refused for one in flooding)
    tell(f"p95 to the first token {quiet:.0f} ms alone, {loud:.0f} ms beside the flood; of it {answered} of {len(flooding)} answered")
    return {
        "quiet_p95_ms": quiet,
        "p95_ms": loud,
        "p95_ratio": loud / quiet,
        "sent": len(flooding),
        "answered": answered,
        "refused": len(flooding) - answered,
        "quiet_refused": sum(one.refused for one in beside),
        "lost": 0,  # ``finish`` ends the run where one is
    }


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]), int(sys.argv[2]))))
