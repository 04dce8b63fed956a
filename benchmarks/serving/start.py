"""From the command to the first token: ``hatrack serve`` in full precision, everything on the disk's cache. Prints JSON.

Arguments: the project, repeats. The first start, which fills the caches, is not counted.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from runs import tell
from workload import median

QUESTION = {"model": "base", "messages": [{"role": "user", "content": "What is a contract?"}], "max_tokens": 8, "stream": True}
COMMAND = [sys.executable, "-m", "hatrack", "serve", "--precision", "fp32", "--port", "0"]


def first_token(project: Path) -> tuple[float, float, float]:
    """Seconds until the address is told, until the first token, and of CPU in all."""
    before = os.times()
    begin = time.perf_counter()
    with subprocess.Popen(COMMAND, cwd=project, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        try:
            address = next(line for line in server.stdout if line.startswith("address")).split()[1]
            up = time.perf_counter() - begin
            headers = {"Content-Type": "application/json"}
            asked = urllib.request.Request(f"{address}/chat/completions", json.dumps(QUESTION).encode(), headers)
            with urllib.request.urlopen(asked, timeout=60) as answer:
                next(
                    line
                    for line in answer
                    if b'"content":"' in line.replace(b": ", b":") and b'"content":""' not in line.replace(b": ", b":")
                )
                seconds = time.perf_counter() - begin
        finally:
            server.terminate()
    after = os.times()
    return up, seconds, after.children_user + after.children_system - before.children_user - before.children_system


if __name__ == "__main__":
    first_token(Path(sys.argv[1]))
    found = []
    for _ in range(int(sys.argv[2])):
        found.append(first_token(Path(sys.argv[1])))
        tell(f"address after {found[-1][0]:.2f} s, first token after {found[-1][1]:.2f} s, {found[-1][2]:.2f} s of CPU")
    up, seconds, cpu = map(median, zip(*found, strict=True))
    print(json.dumps({"up_s": up, "to_first_token_s": seconds, "cpu_s": cpu}))
