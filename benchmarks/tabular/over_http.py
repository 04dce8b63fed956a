"""One row over HTTP: a real server in a process of its own, one client with one connection, from the body to the answer."""

from __future__ import annotations

import csv
import shutil
import subprocess
import sys
import time
from pathlib import Path

import httpx
import numpy as np
import yaml

REQUESTS = 300
SERVE = [sys.executable, "-m", "hatrack", "serve", "--precision", "fp32", "--port", "0"]


def http_claims(data: Path, work: Path) -> dict[str, float]:
    """Median and 95th percentile of milliseconds, for predictions and for predictions with their reasons."""
    root = work / "http"
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir(parents=True)
    for part in ("train", "test"):
        shutil.copyfile(data / "tabular" / "german_credit" / f"{part}.csv", root / f"{part}.csv")
    tables = {
        name: {
            "data": {"train": "train.csv", "test": "test.csv"},
            "target": "label",
            "positive": "bad",
            "model": name,
            "search": {"trials": 1},
        }
        for name in ("blend", "xgboost")
    }
    adapters = {"talk": {"data": "none.jsonl", "task": "instruct"}}
    config = {"base": "bundled/smollm2-135m-instruct", "adapters": adapters, "tables": tables}
    (root / "hatrack.yaml").write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    for name in tables:
        subprocess.run([sys.executable, "-m", "hatrack", "table", "train", name], cwd=root, check=True, capture_output=True)
    with (root / "test.csv").open(encoding="utf-8", newline="") as stream:
        rows = [{key: value for key, value in row.items() if key != "label"} for row in csv.DictReader(stream)][:REQUESTS]
    claims = {}
    with subprocess.Popen(SERVE, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        try:
            assert server.stdout is not None
            address = next(word for line in server.stdout for word in line.split() if word.startswith("http://")).rstrip(".,")
            with httpx.Client(base_url=address, timeout=60) as client:
                for name in tables:
                    for what in ("predict", "explain"):
                        times = [_timed(client, f"/tables/{name}/{what}", row) for row in [rows[0], *rows]][1:]
                        claims[f"http_{name}_{what}_p50_ms"] = float(np.median(times))
                        claims[f"http_{name}_{what}_p95_ms"] = float(np.quantile(times, 0.95))
        finally:
            server.terminate()
    return claims


def _timed(client: httpx.Client, path: str, row: dict[str, str]) -> float:
    begin = time.perf_counter()
    client.post(path, json={"rows": [row]}).raise_for_status()
    return (time.perf_counter() - begin) * 1000
