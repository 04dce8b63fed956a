"""The round trip: bytes, quality against full precision with its interval, and speed in the foreign tool, for every format.

    causal   CUAD, 5 clause types on SmolLM2-135M, label generated: peft, merged, gguf in six precisions, gguf-adapter, ollama, vllm
    encoder  banking77, 20 intents on all-MiniLM-L6-v2: peft, folder, onnx in FP32 and INT8
    embedder the same messages and the base alone, onnx in FP32 and INT8: a message has the intent of the nearest training row

Keys are ``<task>_<format>_<part>_<figure>``: ``bytes``, ``here`` and ``there`` (the metric, accuracy), ``low`` and ``high``
(95 % interval of the change), ``same`` (share of equal answers), ``likeness``, and ``tokens_per_second`` of one stream or
``rows_per_second``. ``returned_same`` counts the two imports (peft, gguf-adapter) whose logits on the probe are the
adapter's own. The folder of ``vllm`` is served by its script in vLLM's own environment, VLLM_PYTHON=/path/to/python, and left out
without one; Ollama, which cannot be had everywhere, runs llama.cpp, and that is asked in its place. A finished format is kept in the
work folder, so an interrupted run goes on where it was.
"""

from __future__ import annotations

import io
import json
import os
import random
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import yaml

SEED = 13
ROWS = 200
TASKS: dict[str, dict[str, Any]] = {
    "causal": {
        "files": "legal/cuad_clauses",
        "base": "bundled/smollm2-135m-instruct",
        "labels": 5,
        "train": 60,
        "test": 20,
        "longest": 300,  # characters
        "config": {
            "task": "classify-by-text",
            "system": "Name the type of this contract clause.",
            "train": {"epochs": 2, "batch_size": 8, "max_length": 160, "seed": SEED},
        },
        "formats": {
            "peft": (),
            "merged": (),
            "gguf-adapter": (),
            "gguf": ("F16", "Q8_0", "Q5_1", "Q5_0", "Q4_1", "Q4_0"),
            "ollama": (),
            "vllm": (),
        },
    },
    "encoder": {
        "files": "finance/banking77",
        "base": "bundled/all-minilm-l6-v2",
        "labels": 20,
        "train": 30,
        "test": 10,
        "longest": 10**6,
        "config": {"task": "classify", "train": {"epochs": 4, "batch_size": 16, "max_length": 64, "seed": SEED}},
        "formats": {"peft": (), "folder": (), "onnx": ("FP32", "INT8")},
    },
}


def say(line: str) -> None:
    print(time.strftime("%H:%M:%S"), line, flush=True)


def project(task: str, data: Path, work: Path) -> Path:
    """A project with the adapter ``first`` and its rows."""
    settings, folder = TASKS[task], work / task
    folder.mkdir(parents=True, exist_ok=True)
    labels: list[str] = []
    for part in ("train", "test"):
        with (data / settings["files"] / f"{part}.jsonl").open(encoding="utf-8") as stream:
            rows = [json.loads(line) for line in stream]
        random.Random(SEED).shuffle(rows)
        by_label = defaultdict(list)
        for row in rows:
            if len(row["text"]) <= settings["longest"]:
                by_label[row["label"]].append({"text": row["text"], "label": row["label"].replace("_", " ")})
        labels = labels or sorted(sorted(by_label), key=lambda label: -len(by_label[label]))[: settings["labels"]]
        chosen = [row for label in labels for row in by_label[label][: settings[part]]]
        (folder / f"{part}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in chosen), encoding="utf-8")
    adapter = {"data": {"train": "train.jsonl", "test": "test.jsonl"}, "checks": {"leaks": "drop"}, **settings["config"]}
    (folder / "hatrack.yaml").write_text(yaml.safe_dump({"base": settings["base"], "adapters": {"first": adapter}}), encoding="utf-8")
    return folder


def run(data: Path, work: Path) -> dict[str, float]:
    from rich.console import Console

    from hatrack.workflows.adapt import Workbench

    sys.path.insert(0, str(Path(__file__).parent))
    from embedder import embedder

    claims: dict[str, float] = {}
    for task, settings in TASKS.items():
        bench = Workbench.open(project(task, data, work), Console(file=io.StringIO()))
        prepared = bench.prepare("first")
        if not bench.registry.names():
            say(f"{task}: training on {len(prepared.splits.train)} rows")
            bench.evaluate(bench.train("first", prepared), prepared)
        for name, precisions in settings["formats"].items():
            claims |= exported(bench, task, name, precisions, work)
        if task == "encoder":
            say("embedder: onnx")
            claims |= embedder(bench, work / "out" / "embedder-onnx", ROWS)
    claims["returned_same"] = float(returned(work))
    table(claims)
    return claims


def exported(bench: Any, task: str, name: str, precisions: tuple[str, ...], work: Path) -> dict[str, float]:
    from hatrack.core.exported import EXPORT, ExportRecord
    from hatrack.workflows.export.run import Wish, export

    out = work / "out" / f"{task}-{name}"
    if name == "vllm" and "VLLM_PYTHON" not in os.environ:
        say(f"{task}: {name} left out, VLLM_PYTHON is not set")
        return {}
    if not (out / EXPORT).is_file():
        say(f"{task}: {name}")
        served = {"base_id": str(bench.files.folder), "rows": 0} if name == "vllm" else {"rows": ROWS}
        export(bench, "first@1.0.0", Wish(name, out, precisions, max_drop=1.0, **served))  # measured, however large the loss
    record = ExportRecord.model_validate_json((out / EXPORT).read_text(encoding="utf-8"))
    claims: dict[str, float] = {}
    for part in record.parts:
        found = by_vllm(bench, out, work) if name == "vllm" else part.quality
        if found is None:
            continue
        speed = "rows_per_second" if found.tokens_per_second is None else "tokens_per_second"
        figures = {
            "bytes": part.bytes,
            "here": found.here,
            "there": found.there,
            "low": found.change.low,
            "high": found.change.high,
            "same": found.same,
            "likeness": part.likeness,
            speed: getattr(found, speed),
        }
        claims |= {f"{task}_{name}_{part.name}_{figure}": value for figure, value in figures.items()}
    return claims


def by_vllm(bench: Any, folder: Path, work: Path) -> Any:
    """The test rows, asked of vLLM itself; or what it answered before."""
    from hatrack.core.exported import Quality
    from hatrack.workflows.export.quality import Measuring

    sys.path.insert(0, str(Path(__file__).parent))
    from served import Served

    kept = work / "vllm.json"
    if not kept.is_file():
        manifest = bench.registry.resolve("first@1.0.0")
        server = Served(os.environ["VLLM_PYTHON"], folder, "first-1.0.0", work / "vllm")
        try:
            found = Measuring(bench, manifest, bench.prepare("first"), ROWS).part(server)
        finally:
            server.close()
        kept.write_text(found.model_dump_json(), encoding="utf-8")
    return Quality.model_validate_json(kept.read_text(encoding="utf-8"))


def returned(work: Path) -> int:
    """How many of two formats come back as what they were."""
    from rich.console import Console

    from hatrack.models.adapters.probe import read_probe
    from hatrack.models.host import ModelHost
    from hatrack.workflows.adapt import Workbench
    from hatrack.workflows.take_in import Incoming, take_in

    bench = Workbench.open(work / "causal", Console(file=io.StringIO()))
    probe = read_probe(bench.registry.folder(bench.registry.resolve("first@1.0.0")))
    same = 0
    for number, place in enumerate((work / "out" / "causal-peft", work / "out" / "causal-gguf-adapter" / "first-1.0.0.gguf")):
        manifest, _ = take_in(bench, Incoming(str(place), f"back{number}", task=None if place.is_dir() else "instruct"))
        host = ModelHost(bench.files)
        host.attach("back", bench.registry.folder(manifest))
        with host.using("back"):
            logits = host.probe_logits(probe.inputs, None).gather(1, probe.indices)
        same += float((logits - probe.adapted).abs().max()) < 2e-3
    return same


def table(claims: dict[str, float]) -> None:
    for key in [key.removesuffix("_bytes") for key in claims if key.endswith("_bytes")]:
        get = claims.get
        speed = get(f"{key}_tokens_per_second") or get(f"{key}_rows_per_second") or 0.0
        change = f"{claims[f'{key}_there'] - claims[f'{key}_here']:+.3f} ({claims[f'{key}_low']:+.3f} to {claims[f'{key}_high']:+.3f})"
        same = f"{claims[f'{key}_same']:.1%}"
        print(f"{key:32} {claims[f'{key}_bytes']:>13,.0f} bytes  {claims[f'{key}_there']:.3f}  {change}  same {same}  {speed:.1f}/s")
