"""A million rows through ``hatrack prepare`` and ``hatrack check``, each in a process of its own: seconds and peak memory.

The rows are made here: sentences of some hundred characters over a vocabulary of 50,000 words, 20 labels, and planted in
them what the steps look for: exact and near-duplicates, mojibake, e-mail addresses, card numbers, rows without a label.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import yaml

ROWS = int(os.environ.get("ROWS", "1000000"))
SEED = 13
LIMIT_GB = 1.5


def write_rows(path: Path) -> None:
    rng = random.Random(SEED)
    letters = "abcdefghijklmnopqrstuvwxyz"
    words = ["".join(rng.choices(letters, k=rng.randint(3, 10))) for _ in range(50_000)]
    last = ""
    with path.open("w", encoding="utf-8") as stream:
        for i in range(ROWS):
            text = " ".join(rng.choices(words, k=15))
            chance = rng.random()
            if chance < 0.01:
                text = last.upper() + "."  # an exact duplicate to a reader
            elif chance < 0.02:
                text = last + " " + rng.choice(words)  # a near one
            elif chance < 0.03:
                text += " cafÃ© crÃ¨me"
            elif chance < 0.04:
                text += f" write to {rng.choice(words)}@example.com"
            elif chance < 0.05:
                text += " card 4111 1111 1111 1111"
            else:
                last = text
            row = {"id": i, "text": text, "label": f"label {hash_of(last) % 20}"}
            if chance > 0.999:
                del row["label"]
            stream.write(json.dumps(row, ensure_ascii=False) + "\n")


def hash_of(text: str) -> int:
    return sum(text.encode()) * 2654435761 % 2**32 >> 7


def timed(arguments: list[str], root: Path) -> tuple[float, float]:
    """Seconds and peak resident memory in GB of one command."""
    start = time.monotonic()
    process = subprocess.Popen([sys.executable, "-m", "hatrack", *arguments, "--project", str(root)], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if os.waitstatus_to_exitcode(status):
        sys.exit(f"hatrack {' '.join(arguments)} ended with {os.waitstatus_to_exitcode(status)}")
    return time.monotonic() - start, usage.ru_maxrss / 2**20


def run(data: Path, work: Path) -> dict[str, float]:
    work.mkdir(parents=True, exist_ok=True)
    source = work / f"rows-{ROWS}.jsonl"
    if not source.exists():
        write_rows(source)
    adapter = {"data": source.name, "task": "classify-by-text", "train": {"max_length": 128}}
    (work / "hatrack.yaml").write_text(yaml.safe_dump({"base": "bundled/smollm2-135m-instruct", "adapters": {"rows": adapter}}))
    claims: dict[str, float] = {"rows": ROWS, "megabytes": round(source.stat().st_size / 1e6, 1)}
    for name, arguments in (("prepare", ["prepare"]), ("check", ["check"]), ("prepare_again", ["prepare"])):
        seconds, peak = timed(arguments, work)
        claims |= {f"{name}_seconds": round(seconds, 1), f"{name}_peak_gb": round(peak, 3)}
        print(f"hatrack {name}: {seconds:.0f} s, peak {peak:.2f} GB")
        if peak > LIMIT_GB:
            print(f"  above the limit of {LIMIT_GB} GB")
    return claims
