"""Every method on two tasks: score with interval, trained parameters, seconds, peak memory, size of the adapter.

    encoder  banking77, 20 intents, 30 training rows each, on all-MiniLM-L6-v2; score: accuracy
    causal   CUAD, 5 clause types, 30 training rows each, on SmolLM2-135M; score: accuracy of the scored labels

Each method runs in a process of its own with its own defaults, through the product's own training, and is applied as
serving applies it. Rows, seeds, epochs and batches are the same for all; the base stands beside them. Keys are
``<method>_<task>_<figure>``; ``<method>_score``, ``_params`` and ``_seconds`` are those of the causal task. A finished
method is kept in the work folder, so an interrupted run goes on where it was.

    estimate         memory expected before the first step / peak while training; ``estimate_worst``: the furthest from 1
    four_bit_ratio   bytes of the causal base with its blocks in 4 bits / in full precision, constants counted
    qlora_gap        accuracy of lora - accuracy of qlora, causal: the mean over five seeds, all test rows of these types;
                     ``gap_lora_SEED`` and ``gap_qlora_SEED`` are the accuracies. One training more or less lucky is worth more than the gap
    not_better       how many pairs of method and task do not beat the base (95 % interval of the gain clear of zero)
"""

from __future__ import annotations

import argparse
import io
import json
import random
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

SEED = 13
SEEDS = (13, 14, 15, 16, 17)  # of the comparison of lora and qlora
KEPT = ("params", "seconds", "rss_mb", "estimate", "bytes")
TASKS: dict[str, dict[str, Any]] = {
    "encoder": {
        "files": "finance/banking77",
        "base": "bundled/all-minilm-l6-v2",
        "labels": 20,
        "train": 30,
        "test": 30,
        "config": {
            "task": "classify",
            "train": {"epochs": 4, "batch_size": 16, "max_length": 64, "patience": 9, "seed": SEED},
        },
    },
    "causal": {
        "files": "legal/cuad_clauses",
        "base": "bundled/smollm2-135m-instruct",
        "labels": 5,
        "train": 30,
        "test": 40,
        "longest": 300,  # characters: long clauses cost minutes and decide nothing between methods
        "config": {
            "task": "classify-by-text",
            "system": "Name the type of this contract clause.",
            "train": {"epochs": 2, "batch_size": 4, "max_length": 160, "patience": 9, "seed": SEED},
        },
    },
}


def say(line: str) -> None:
    print(time.strftime("%H:%M:%S"), line, flush=True)


def prepare(task: str, data: Path, folder: Path, *, all_tests: bool = False) -> None:
    """Write the same few rows for every method."""
    settings = TASKS[task]
    for part in ("train", "test"):
        with (data / settings["files"] / f"{part}.jsonl").open(encoding="utf-8") as stream:
            rows = [json.loads(line) for line in stream]
        random.Random(SEED).shuffle(rows)
        by_label = defaultdict(list)
        for row in rows:
            if len(row["text"]) <= settings.get("longest", 10**6):
                by_label[row["label"]].append({"text": row["text"], "label": row["label"].replace("_", " ")})
        if part == "train":
            labels = sorted(sorted(by_label), key=lambda label: -len(by_label[label]))[: settings["labels"]]
        most = None if all_tests and part == "test" else settings[part]
        chosen = [row for label in labels for row in by_label[label][:most]]
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{part}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in chosen), encoding="utf-8")


def measure(task: str, method: str, folder: Path, options: dict[str, Any]) -> dict[str, Any]:
    """In this process: train one method, attach it, answer the test rows. ``base`` trains nothing."""
    from rich.console import Console

    from hatrack.core.config import AdapterConfig
    from hatrack.data.prepare import prepare as prepare_data
    from hatrack.models.host import ModelHost
    from hatrack.models.loading import open_base
    from hatrack.training.run import train_adapter

    settings = TASKS[task]
    files = open_base(settings["base"])
    trained = "lora" if method == "base" else method
    train = {**settings["config"]["train"], **{key: options.pop(key) for key in ("learning_rate", "epochs", "seed") if key in options}}
    config = AdapterConfig.model_validate(
        {
            "data": {"train": "train.jsonl", "test": "test.jsonl"},
            "method": trained,
            "split": [0.9, 0.07, 0.03],
            "checks": {"leaks": "drop", "max_truncated": 1.0},
            **settings["config"],
            "train": train,
            **options,
        }
    )
    prepared = prepare_data(config, folder)
    result: dict[str, Any] = {"rows": len(prepared.splits.train), "test_rows": len(prepared.splits.test)}
    if method == "base":
        host = ModelHost(files)
        answers = base_answers(task, host, prepared, config)
    else:
        console = Console(file=io.StringIO())
        adapter = train_adapter(method.replace("+", "-plus"), config, files, prepared, folder / "runs", console)
        host = ModelHost(files)
        attached = host.attach(method, adapter.folder)
        with host.using(method):
            answers = adapter_answers(task, host, prepared, config, attached)
        size = sum((adapter.folder / name).stat().st_size for name in ("adapter_model.safetensors", "adapter_config.json"))
        figures = adapter.statistics
        result |= {"params": figures["trained_parameters"], "seconds": figures["seconds"], "bytes": size}
        result |= {"rss_mb": figures["peak_rss_mb"], "estimate": figures["expected_rss_mb"] / figures["peak_rss_mb"]}
        result |= {"loss": figures["best_validation_loss"]}
    result["right"] = [int(answer == example.label) for answer, example in zip(answers, prepared.splits.test, strict=True)]
    return result


def base_answers(task: str, host: Any, prepared: Any, config: Any) -> list[str]:
    """The base's best honest chance: class centroids, or each label scored after a prompt that lists them."""
    import torch

    from hatrack.models.encoder import CosineHead, class_centroids

    labels = prepared.labels
    if task == "encoder":
        rows, number = prepared.splits.train, {label: i for i, label in enumerate(labels)}
        embeddings = host.embed_ids(host.tokenize([row.text for row in rows], config.train.max_length))
        head = CosineHead(class_centroids(embeddings, torch.tensor([number[row.label] for row in rows]), len(labels)))
        texts = host.tokenize([row.text for row in prepared.splits.test], config.train.max_length)
        return [labels[i] for i in host.probe_logits(texts, head).argmax(dim=1).tolist()]
    listed = f"{config.system}\nAnswer with exactly one of these labels and nothing else:\n" + "\n".join(labels)
    return scored(host, prepared, labels, listed)


def adapter_answers(task: str, host: Any, prepared: Any, config: Any, attached: Any) -> list[str]:
    labels = attached.card.labels
    if task == "encoder":
        texts = host.tokenize([row.text for row in prepared.splits.test], config.train.max_length)
        return [labels[i] for i in host.probe_logits(texts, attached.head).argmax(dim=1).tolist()]
    return scored(host, prepared, labels, config.system)


def scored(host: Any, prepared: Any, labels: tuple[str, ...], system: str) -> list[str]:
    from hatrack.core.chat import Message
    from hatrack.models.label_scoring import build_trie, score_labels

    trie = build_trie([host.renderer.answer_ids(label) for label in labels])
    prompts = [host.renderer.prompt((Message("system", system), Message("user", row.text)), 400).ids for row in prepared.splits.test]
    return [labels[i] for i in score_labels(host.module, prompts, trie).argmax(dim=1).tolist()]


def one(task: str, method: str, folder: Path, options: dict[str, Any] | None = None) -> dict[str, Any]:
    """The kept result of one method on the rows of ``folder``, measured in a process of its own if it is not there yet."""
    options = options or {}
    kept = folder.parent / "results" / f"{'-'.join([folder.name, method, *map(str, options.values())])}.json"
    if not kept.is_file():
        command = [sys.executable, __file__, task, method, "--folder", str(folder), "--to", str(kept), "--options", json.dumps(options)]
        if subprocess.run(command, check=False).returncode:
            raise SystemExit(f"{method} on {task} failed")
    return json.loads(kept.read_text(encoding="utf-8"))


def run(data: Path, work: Path) -> dict[str, float]:
    from hatrack.evaluation.statistics import bca_interval, mcnemar_p
    from hatrack.training.methods.base import METHODS

    claims: dict[str, float] = {}
    (work / "results").mkdir(parents=True, exist_ok=True)
    for task in TASKS:
        folder = work / task
        prepare(task, data, folder)
        base = np.array(one(task, "base", folder)["right"], float)
        claims[f"base_{task}_score"] = float(base.mean())
        for method in METHODS.names():
            if task not in METHODS.get(method).traits.kinds:
                continue
            result = one(task, method, folder)
            right = np.array(result["right"], float)
            interval = bca_interval(lambda rows: float(rows.mean()), right, 0.95, SEED)
            gain = bca_interval(lambda rows: float((rows[:, 0] - rows[:, 1]).mean()), np.stack([right, base], 1), 0.95, SEED)
            found = {"score": float(right.mean()), "low": interval.low, "high": interval.high, "gain_low": gain.low}
            found |= {"p": mcnemar_p(right, base), **{key: result[key] for key in KEPT}}
            claims |= {f"{method}_{task}_{key}": float(value) for key, value in found.items()}
            say(f"{task} {method}: {json.dumps(found)}")
    for method in METHODS.names():
        claims |= {f"{method}_{key}": claims[f"{method}_causal_{key}"] for key in ("score", "params", "seconds")}
    claims |= gap(data, work / "gap")
    claims["not_better"] = sum(value <= 0 for key, value in claims.items() if key.endswith("_gain_low"))
    estimates = [value for key, value in claims.items() if key.endswith("_estimate")]
    claims["estimate_worst"] = max(estimates, key=lambda ratio: abs(ratio - 1))
    claims["four_bit_ratio"] = four_bit_ratio()
    return {key: round(value, 6) for key, value in claims.items()}


def gap(data: Path, folder: Path) -> dict[str, float]:
    """lora and qlora on the causal task, with several seeds and many test rows."""
    prepare("causal", data, folder, all_tests=True)
    claims = {}
    for method in ("lora", "qlora"):
        for seed in SEEDS:
            claims[f"gap_{method}_{seed}"] = float(np.mean(one("causal", method, folder, {"seed": seed})["right"]))
            say(f"{method}, seed {seed}: {claims[f'gap_{method}_{seed}']:.3f}")
    return claims | {"qlora_gap": float(np.mean([claims[f"gap_lora_{seed}"] - claims[f"gap_qlora_{seed}"] for seed in SEEDS]))}


def four_bit_ratio() -> float:
    from hatrack.models.loading import load_module, open_base
    from hatrack.models.quantised import quantise, resident_bytes

    module = load_module(open_base(TASKS["causal"]["base"]))
    full = resident_bytes(module)
    quantise(module)
    return resident_bytes(module) / full


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure one method in this process.")
    parser.add_argument("task", choices=TASKS)
    parser.add_argument("method")
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--to", type=Path)
    parser.add_argument("--options", type=json.loads, default={}, help="JSON: other options or another learning rate, for tuning")
    arguments = parser.parse_args()
    result = measure(arguments.task, arguments.method, arguments.folder, arguments.options)
    if arguments.to:
        arguments.to.write_text(json.dumps(result), encoding="utf-8")
    score = float(np.mean(result.pop("right")))
    print(json.dumps({"task": arguments.task, "method": arguments.method, "score": round(score, 4), **result}), flush=True)


if __name__ == "__main__":
    main()
