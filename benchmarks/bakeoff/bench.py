"""``hatrack compare`` on four public data sets: what it recommends, and whether that holds on rows it did not see.

Every figure comes from the command itself, in a process of its own, on the same test rows for every approach:

    banking77   77 intents of messages to a bank
    cuad        the 20 most frequent types of contract clauses
    pubmedqa    question and the last words of the abstract, to yes, no or maybe
    medquad     question to its type, types with at least 20 rows

Sizes are chosen so that all four take about half an hour on two cores: eight minutes for each set, up to 1,000 training
rows and 200 test rows (500 training rows of PubMedQA are all there are), 300 training rows for what trains the 135M base.
Approaches that generate or train with that base are slow on a CPU; they are measured on the same test rows. What a set
has no time for is said in the output, as ``hatrack compare`` says it.

``<s>_agrees``: the scores of the recommended approach and of the best lie within each other's 95 % interval. That is so by the rule
itself, so ``<s>_agrees_held_out`` decides by one half of the test rows, and looks at the other half.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
import yaml

from hatrack.evaluation.metrics.base import Answers
from hatrack.evaluation.metrics.classification import Accuracy
from hatrack.evaluation.predictions import read_predictions
from hatrack.evaluation.statistics import bca_interval, holm, mcnemar_p

SEED = 13
TRAIN, TEST, LLM = 1000, 200, 300
APPROACHES = (
    "majority", "nearest", "tfidf-logreg", "tfidf-xgboost", "embeddings-logreg", "zero-shot", "zero-shot-scored",
    "few-shot-scored", "few-shot-retrieved", "encoder-lora", "lora", "last-n", "full",
)  # fmt: skip

Row = dict[str, str]

SETS: dict[str, dict] = {
    "medquad": {
        "files": "medical/medquad",
        "text": lambda r: r["question"],
        "label": "qtype",
        "group": "focus",
        "system": "Name what this medical question asks for.",
        "fewest": 20,
        "train": {"epochs": 2, "max_length": 96},
    },
    "banking77": {
        "files": "finance/banking77",
        "text": lambda r: r["text"],
        "label": "label",
        "group": None,
        "system": "Name the intent of this message to a bank.",
        "train": {"epochs": 3, "max_length": 96},
    },
    "pubmedqa": {
        "files": "medical/pubmedqa",
        # the answer is in the abstract's last sentences; a whole abstract takes five times as long
        "text": lambda r: f"{r['question']}\n{' '.join(r['context'].split()[-70:])}",
        "label": "label",
        "group": None,
        "system": "Answer the question from the end of an abstract.",
        "train": {"epochs": 2, "max_length": 192},
    },
    "cuad": {
        "files": "legal/cuad_clauses",
        "text": lambda r: " ".join(r["text"].split()[:120]),
        "label": "label",
        "group": "contract",
        "system": "Name the type of this contract clause.",
        "labels": 20,
        "train": {"epochs": 2, "max_length": 192},
    },
}


def say(line: str) -> None:
    print(time.strftime("%H:%M:%S"), line, flush=True)


def rows_of(name: str, data: Path) -> tuple[list[Row], list[Row]]:
    one = SETS[name]
    parts = []
    for part in ("train", "test"):
        with (data / one["files"] / f"{part}.jsonl").open(encoding="utf-8") as stream:
            raw = [json.loads(line) for line in stream]
        parts.append(
            [
                {
                    "id": f"{part}-{i}",
                    "text": one["text"](r),
                    "label": r[one["label"]].replace("_", " "),
                    "group": r[one["group"]] if one["group"] else f"{part}-{i}",
                }
                for i, r in enumerate(raw)
            ]
        )
    train, test = parts
    counts = Counter(row["label"] for row in train)
    kept = {label for label, count in counts.most_common(one.get("labels")) if count >= one.get("fewest", 1)}
    train, test = ([row for row in rows if row["label"] in kept] for rows in (train, test))
    rng = random.Random(SEED)
    rng.shuffle(train)
    rng.shuffle(test)
    return train[:TRAIN], test[:TEST]


def compare(name: str, data: Path, work: Path) -> dict:
    """The record that ``hatrack compare --json`` prints; the command finds what an interrupted run has finished."""
    root = work / name
    root.mkdir(parents=True, exist_ok=True)
    for part, rows in zip(("train", "test"), rows_of(name, data), strict=True):
        (root / f"{part}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    adapter = {
        "data": {"train": "train.jsonl", "test": "test.jsonl"},
        "columns": {"group": "group"},
        "task": "classify-by-text",
        "system": SETS[name]["system"],
        "method": "lora",
        "last_layers": 10,
        "split": [0.9, 0.07, 0.03],
        # published test sets hold a few rows of their training sets; long texts are cut on purpose
        "checks": {"leaks": "drop", "max_truncated": 1.0, "drop_unknown_test_labels": True},
        "train": {"batch_size": 16, **SETS[name]["train"]},
    }
    settings = {"approaches": list(APPROACHES), "test_rows": TEST, "llm_rows": LLM, "minutes": 8}
    config = {"base": "bundled/smollm2-135m-instruct", "adapters": {name: adapter}, "compare": settings}
    (root / "hatrack.yaml").write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    command = [sys.executable, "-m", "hatrack", "compare", name, "--project", str(root), "--json"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False, env=os.environ)
    if done.returncode not in (0, 1):
        raise SystemExit(f"hatrack compare {name} ended with {done.returncode}")
    return json.loads(done.stdout)


def held_out(record: dict) -> float:
    """1 if what the rule chooses on one half of the rows keeps up with the best on the other half, as for ``<s>_agrees``."""
    answered = {entry["approach"]: read_predictions(Path(entry["answers"])) for entry in record["entries"]}
    right = {name: Accuracy().rows(Answers(one.given, one.expected))[:, 0] for name, one in answered.items()}
    count = len(next(iter(right.values())))
    first = np.zeros(count, bool)
    first[np.random.default_rng(SEED).permutation(count)[: count // 2]] = True
    names = sorted(right, key=lambda name: -right[name][first].mean())
    p_values = holm([mcnemar_p(right[names[0]][first], right[name][first]) for name in names[1:]])
    level = [names[0], *(name for name, p in zip(names[1:], p_values, strict=True) if p >= 0.05)]
    cost = {entry["approach"]: entry["total_cost"] for entry in record["entries"]}
    chosen = min(level, key=cost.__getitem__)
    best = max(right, key=lambda name: right[name][~first].mean())
    ours, theirs = right[chosen][~first], right[best][~first]
    around = [bca_interval(lambda rows: float(rows.mean()), one[:, None], 0.95, SEED) for one in (ours, theirs)]
    return float(around[1].low <= ours.mean() or theirs.mean() <= around[0].high)


def claims_of(name: str, record: dict) -> dict[str, float | str]:
    metric = record["metric"]
    scores = {entry["approach"]: entry["scores"][metric] for entry in record["entries"]}
    best, chosen = scores[record["best"]], scores[record["recommendation"]["approach"]]
    claims: dict[str, float | str] = {
        f"{name}_recommended": record["recommendation"]["approach"],
        f"{name}_best": record["best"],
        f"{name}_recommended_score": chosen["value"],
        f"{name}_best_score": best["value"],
        # either score within the interval of the other: where every row is right, an interval has no width
        f"{name}_agrees": float(best["interval"]["low"] <= chosen["value"] or best["value"] <= chosen["interval"]["high"]),
        f"{name}_agrees_held_out": held_out(record),
        f"{name}_test_rows": record["test_rows"],
        f"{name}_seconds": record["seconds"],
    }
    for entry in record["entries"]:
        key = f"{name}_{entry['approach'].replace('-', '_')}"
        claims[key] = entry["scores"][metric]["value"]
        claims[f"{key}_fit_seconds"] = entry["fit_seconds"]
    return {key: round(value, 4) if isinstance(value, float) else value for key, value in claims.items()}


def run(data: Path, work: Path) -> dict[str, float | str]:
    claims: dict[str, float | str] = {}
    for name in SETS:
        say(name)
        record = compare(name, data, work)
        for entry in record["entries"]:
            score = entry["scores"][record["metric"]]
            line = f"{score['value']:.3f} ({score['interval']['low']:.3f} to {score['interval']['high']:.3f})"
            say(f"  {entry['approach']:20} {line}  {entry['fit_seconds']:8.1f} s  p50 {entry['latency_p50_ms']:.1f} ms")
        for one in record["skipped"]:
            say(f"  {one['approach']:20} {one['kind']}: {one['reason']}")
        say(f"  recommended: {record['recommendation']['approach']}")
        claims |= claims_of(name, record)
    return claims
