"""Versions without training: a folder of small files and a manifest, as the registry takes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatrack.core.lineage import Comparison, DataRecord, EvalReport, Interval, Manifest, Score, SystemScores
from hatrack.registry.manifest import build_manifest
from hatrack.registry.store import Registry

TRAIN = {"seed": 13, "epochs": 3}


def record(digest: str = "d" * 64) -> DataRecord:
    rows = {"train": 80, "validation": 10, "test": 10}
    parts = dict.fromkeys(("train_digest", "validation_digest", "test_digest"), digest)
    return DataRecord(digest=digest, **parts, rows=rows, rejected=0, source_files={"data.jsonl": "e" * 64})


def draft(registry: Registry, folder: Path, weights: str = "w", name: str = "legal", **changes: Any) -> Manifest:
    """A manifest for a folder that is written here; ``changes`` go to the config, ``fingerprint`` and such aside."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "adapter_model.safetensors").write_text(weights)
    (folder / "adapter_config.json").write_text("{}")
    (folder / "hatrack.json").write_text("{}")
    outside = {"fingerprint": "f" * 64, "template": "t" * 64, "data": record()}
    outside |= {key: changes.pop(key) for key in list(changes) if key in outside}
    config = {"task": "instruct", "method": "lora", "options": {"r": 8}, "labels": [], "system": None, "train": TRAIN, **changes}
    return build_manifest(
        registry, name, folder, base="bundled/x", base_fingerprint=outside["fingerprint"], template_hash=outside["template"],
        behaviour=config, data=outside["data"], training={"seconds": 1.0}, libraries={"torch": "2"},
    )  # fmt: skip


def added(registry: Registry, folder: Path, weights: str = "w", name: str = "legal", **changes: Any) -> Manifest:
    return registry.add(draft(registry, folder, weights, name, **changes), folder)


def report(manifest: Manifest, *, passed: bool = True, digest: str = "", metric: str = "accuracy") -> EvalReport:
    scores = {metric: Score(value=0.9)}
    measured = {"latency_p50_ms": 1, "latency_p95_ms": 2, "latency_rows": 20, "prompt_tokens": 10, "answer_tokens": 2}
    sides = [SystemScores(name=n, description=n, constrained=False, scores=scores, **measured) for n in ("base", "adapter")]
    gain = Comparison(metric=metric, base="base", difference=0.2, interval=Interval(low=0.1, high=0.3))
    return EvalReport(
        adapter=manifest.name, adapter_digest=digest or manifest.digest, test_digest="d" * 64, rows=10, task="instruct", metric=metric,
        systems=tuple(sides), best_base="base", comparisons=(gain,), passed=passed,
        reasons=(f"{metric}: +0.200 against base",), seed=13, created="2026-01-01T00:00:00+00:00",
    )  # fmt: skip
