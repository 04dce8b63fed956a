"""Adapters with random weights: LoRA of rank 16 on all seven linear layers of every block, in a real registry and plain.

Speed does not depend on what the numbers are. One set of weights may stand in the registry under many names; each name
is an adapter of its own there (its digest differs), is loaded by itself and takes a slot of its own.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

import torch
import yaml

from hatrack.core.atomic import staged_folder
from hatrack.core.chat import Message
from hatrack.core.lineage import DataRecord
from hatrack.core.project import Project
from hatrack.models.adapters.base import read_variants
from hatrack.models.adapters.folder import WEIGHTS, AdapterCard, write_adapter
from hatrack.models.adapters.probe import write_probe
from hatrack.models.adapters.switch import place, remove
from hatrack.models.host import ModelHost
from hatrack.models.loading import BaseModelFiles, open_base
from hatrack.registry.manifest import build_manifest
from hatrack.registry.store import Registry

BASE = "bundled/smollm2-135m-instruct"
RANK = 16
TARGETS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
QUESTIONS = ("What is the capital of France, and what is it known for?", "Explain in one sentence what a contract is.")


class Maker:
    """Makes weights below ``folder``, each once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @cached_property
    def files(self) -> BaseModelFiles:
        return open_base(BASE)

    @cached_property
    def host(self) -> ModelHost:
        return ModelHost(self.files)

    @cached_property
    def probes(self) -> list[list[int]]:
        """Prompts that the base knows how to go on from."""
        return [list(self.host.renderer.prompt([Message("user", question)]).ids) for question in QUESTIONS]

    def weights(self, seed: int) -> Path:
        """A folder with one adapter, complete with card and probe."""
        target = self._folder / f"weights-{seed}"
        if target.is_dir():
            return target
        generator = torch.Generator().manual_seed(seed)
        tensors = {}
        for path, linear in self.host.module.inner.named_modules():
            if hasattr(linear, "in_features") and path.rpartition(".")[2] in TARGETS:
                down = torch.randn(RANK, linear.in_features, generator=generator) / linear.in_features**0.5
                up = torch.randn(linear.out_features, RANK, generator=generator) * 0.01
                tensors[f"base_model.model.{path}.lora_A.weight"], tensors[f"base_model.model.{path}.lora_B.weight"] = down, up
        config = {
            "peft_type": "LORA",
            "task_type": "CAUSAL_LM",
            "r": RANK,
            "lora_alpha": RANK,
            "bias": "none",
            "target_modules": list(TARGETS),
        }
        with staged_folder(target) as folder:
            write_adapter(folder, config, tensors)
            card = {"task": "instruct", "method": "lora", "max_length": 256}
            AdapterCard(template_hash=self.host.template_hash, base_fingerprint=self.files.fingerprint, **card).write(folder)
            write_probe(folder, self.probes, self._logits(folder), self.host.probe_logits(self.probes, None))
        return target

    def project(self, root: Path, names: int, distinct: int) -> Path:
        """A project with ``names`` registered adapters ``a0``, ``a1``, ... over ``distinct`` sets of weights; goes on where it was."""
        root.mkdir(parents=True, exist_ok=True)
        (root / "data.jsonl").touch()
        first = {"data": "data.jsonl", "task": "instruct"}
        (root / "hatrack.yaml").write_text(yaml.safe_dump({"base": BASE, "adapters": {"first": first}}), encoding="utf-8")
        blobs = self._folder / "blobs"  # one store for all projects: a file's name there is its content
        blobs.mkdir(exist_ok=True)
        project = Project(root)
        project.state.mkdir(exist_ok=True)
        if not project.blobs.exists():
            project.blobs.symlink_to(blobs)
        registry = Registry(project)
        known = set(registry.names())
        for n in range(names):
            if f"a{n}" not in known:
                self._register(registry, f"a{n}", n, self.weights(n % distinct))
        return root

    def _register(self, registry: Registry, name: str, seed: int, folder: Path) -> None:
        behaviour: dict[str, Any] = {"task": "instruct", "method": "lora", "options": {"r": RANK}, "labels": [], "system": None}
        parts = dict.fromkeys(("digest", "train_digest", "validation_digest", "test_digest"), "0" * 64)
        manifest = build_manifest(
            registry,
            name,
            folder,
            base=BASE,
            base_fingerprint=self.files.fingerprint,
            template_hash=self.host.template_hash,
            behaviour={**behaviour, "train": {"seed": seed}},
            data=DataRecord(**parts, rows={"train": 1, "validation": 1, "test": 1}, rejected=0, source_files={}),
            training={"seconds": 1.0},
            libraries={},
        )
        registry.add(manifest, folder)

    def _logits(self, folder: Path) -> torch.Tensor:
        host = self.host
        variants = read_variants(folder, host.module)
        place(host.module, variants, "made", host._active)
        host._active.name = "made"
        try:
            return host.probe_logits(self.probes, None)
        finally:
            host._active.name = "base"
            remove(host.module, tuple(variants), "made")


def size_of(folder: Path) -> int:
    """Bytes of an adapter's weights."""
    return (folder / WEIGHTS).stat().st_size
