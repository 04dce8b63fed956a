"""Adapters with random weights in a real registry: what serving needs many of, and nobody needs to train."""

from __future__ import annotations

from pathlib import Path

import torch
import yaml

from conftest import label_rows, write_jsonl
from hatrack.core.lineage import Manifest
from hatrack.core.project import Project
from hatrack.models.adapters.folder import AdapterCard, read_card, write_adapter
from hatrack.models.adapters.probe import write_probe
from hatrack.models.host import ModelHost
from hatrack.models.loading import open_base
from hatrack.registry.manifest import build_manifest
from hatrack.registry.store import Registry
from hatrack.serving.decoder.shape import TARGETS
from made_versions import record

PROBES = [[5, 6, 7, 8, 9], [30, 31, 32]]


def project_of(root: Path, base: Path) -> Path:
    """A project whose config names the base and one adapter; versions are added by ``plant``."""
    write_jsonl(root / "data.jsonl", label_rows())
    adapters = {"first": {"data": "data.jsonl", "task": "instruct"}}
    # an answer that is known would be given without being made
    config = {"base": str(base), "adapters": adapters, "serve": {"cache": {"enabled": False}}}
    (root / "hatrack.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    return root


def plant(
    root: Path, base: Path, name: str, seed: int, *, rank: int = 4, targets: tuple[str, ...] = TARGETS, size: float = 0.2
) -> Manifest:
    """A version of a LoRA adapter with random matrices, complete with card and probe."""
    files = open_base(str(base))
    host = ModelHost(files)
    folder = root / "made" / f"{name}-{seed}"
    folder.mkdir(parents=True)
    generator = torch.Generator().manual_seed(seed)
    tensors = {}
    modules = dict(host.module.inner.named_modules())
    for layer in range(files.layers):
        for target in targets:
            path = f"model.layers.{layer}.{target}"
            linear = modules[path]
            for part, shape in (("A", (rank, linear.in_features)), ("B", (linear.out_features, rank))):
                tensors[f"base_model.model.{path}.lora_{part}.weight"] = torch.randn(shape, generator=generator) * size
    config = {"peft_type": "LORA", "r": rank, "lora_alpha": rank, "target_modules": [t.split(".")[1] for t in targets]}
    write_adapter(folder, config, tensors)
    card = AdapterCard(task="instruct", method="lora", template_hash=host.template_hash, base_fingerprint=files.fingerprint, max_length=256)
    card.write(folder)
    plain = host.probe_logits(PROBES, None)
    write_probe(folder, PROBES, torch.zeros_like(plain), plain)  # attach wants one; the true one is written below
    adapted = logits_with(host, folder)
    write_probe(folder, PROBES, adapted, plain)
    registry = Registry(Project(root))
    manifest = build_manifest(
        registry, name, folder, base=str(base), base_fingerprint=files.fingerprint, template_hash=host.template_hash,
        behaviour={"task": "instruct", "method": "lora", "options": {"r": rank}, "labels": [], "system": None, "train": {"seed": seed}},
        data=record(), training={"seconds": 1.0}, libraries={},
    )  # fmt: skip
    return registry.add(manifest, folder)


def logits_with(host: ModelHost, folder: Path) -> torch.Tensor:
    """Logits of the probes with the adapter in ``folder`` on, past the check of its own probe."""
    from hatrack.models.adapters.base import read_variants
    from hatrack.models.adapters.switch import place, remove

    variants = read_variants(folder, host.module)
    place(host.module, variants, "trial", host._active)
    host._active.name = "trial"
    try:
        return host.probe_logits(PROBES, None)
    finally:
        host._active.name = "base"
        remove(host.module, tuple(variants), "trial")


def label(root: Path, name: str, new: str, labels: tuple[str, ...]) -> Manifest:
    """The version ``name`` once more under a new name, as one of task classify-by-text."""
    registry = Registry(Project(root))
    manifest = registry.resolve(name)
    folder = root / "made" / new
    folder.mkdir()
    for file in registry.folder(manifest).iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    changed = {"task": "classify-by-text", "labels": labels, "system": "Name the right one."}
    read_card(folder).model_copy(update=changed).write(folder)
    labelled = build_manifest(
        registry, new, folder, base=manifest.base, base_fingerprint=manifest.base_fingerprint, template_hash=manifest.template_hash,
        behaviour={**manifest.config, **changed, "labels": list(labels)}, data=record(), training={"seconds": 1.0}, libraries={},
    )  # fmt: skip
    registry.add(labelled, folder)
    return labelled
