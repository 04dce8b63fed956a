"""How much memory a gigabyte of text takes on its way in: `hatrack kb add` in a process of its own, beside a tenth of it.

Vectors are those of hashed words, since what is asked is the way of the text, not the encoder's time. Peaks are those that the
kernel notes of the process (VmHWM): everything, interpreter and libraries included.
"""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

import yaml

MEGABYTES = (100, 1000)
WORDS = 400  # in a document, of 5,000 different ones

_RUN = """
import sys
from hatrack.cli.main import main
try:
    main(sys.argv[1:])
finally:
    print([line for line in open("/proc/self/status") if line.startswith("VmHWM")][0].split()[1], file=sys.stderr)
"""


def volume(work: Path) -> dict[str, float]:
    figures = {}
    for size in MEGABYTES:
        root = work / f"volume-{size}"
        shutil.rmtree(root, ignore_errors=True)
        root.mkdir(parents=True)
        count = _write(root / "corpus.jsonl", size * 10**6)
        settings = {"embedder": "hashing:64", "language": "en", "pii": {"mode": "off"}}
        config = {"adapters": {"none": {"data": "none.jsonl", "task": "instruct"}}, "knowledge": settings}
        (root / "hatrack.yaml").write_text(yaml.safe_dump(config))
        begin = time.monotonic()
        command = [sys.executable, "-c", _RUN, "kb", "add", str(root / "corpus.jsonl"), "--project", str(root)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode or f"{count:,}" not in done.stdout:
            raise SystemExit(done.stdout[-2000:] + done.stderr[-2000:])
        figures |= {
            f"volume_{size}mb_documents": count,
            f"volume_{size}mb_seconds": time.monotonic() - begin,
            f"volume_{size}mb_peak_mb": int(done.stderr.split()[-1]) / 1000,
        }
        shutil.rmtree(root)
    return figures


def _write(path: Path, size: int) -> int:
    rng = random.Random(7)
    vocabulary = ["".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=rng.randint(3, 10))) for _ in range(5000)]
    written = count = 0
    with path.open("w", encoding="utf-8") as stream:
        while written < size:
            text = " ".join(rng.choices(vocabulary, k=WORDS))
            written += stream.write(json.dumps({"id": count, "text": text}) + "\n")
            count += 1
    return count
