"""Training on the tiny models piece by piece, for tests that look inside a run."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from hatrack.core.config import AdapterConfig
from hatrack.core.lineage import Manifest
from hatrack.data.prepare import Prepared
from hatrack.models.host import ModelHost
from hatrack.models.loading import BaseModelFiles, load_module
from hatrack.training.objectives.base import IGNORED, OBJECTIVES, Item
from hatrack.training.objectives.causal import CausalTrainee
from hatrack.training.objectives.classify import EncoderTrainee
from hatrack.training.run import TrainedAdapter, train_adapter
from hatrack.workflows.adapt import Workbench

__all__ = ["Pieces", "events_of", "open_pieces", "run_folder", "silent", "train", "train_and_register", "validation_loss"]


def silent() -> Console:
    return Console(file=io.StringIO(), width=200)


@dataclass
class Pieces:
    """What one training run starts from."""

    name: str
    config: AdapterConfig
    files: BaseModelFiles
    prepared: Prepared
    runs: Path

    def items(self) -> tuple[list[Item], list[Item]]:
        return OBJECTIVES.get(self.config.task)().items(self.prepared, self.config, self.files)

    def base(self) -> Any:
        return load_module(self.files)

    def train(self, console: Console | None = None) -> TrainedAdapter:
        return train_adapter(self.name, self.config, self.files, self.prepared, self.runs, console or silent())


def open_pieces(project: Path, name: str = "first") -> Pieces:
    bench = Workbench.open(project, silent())
    return Pieces(name, bench.adapter(name), bench.files, bench.prepare(name), bench.project.runs)


def train(project: Path, name: str = "first") -> TrainedAdapter:
    return open_pieces(project, name).train()


def train_and_register(project: Path, name: str = "first") -> Manifest:
    bench = Workbench.open(project, silent())
    return bench.train(name, bench.prepare(name))


def run_folder(project: Path, name: str = "first") -> Path | None:
    """The folder of the only run of an adapter, once there is one."""
    return next((project / ".hatrack" / "runs").glob(f"{name}-*"), None)


def events_of(run: Path) -> list[dict[str, Any]]:
    """Every logged line, whole ones only, in the order of writing."""
    path = run / "events.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True) if path.is_file() else []
    return [json.loads(line) for line in lines if line.endswith("\n")]


def validation_loss(pieces: Pieces, trained: TrainedAdapter) -> float:
    """Measured apart from the loop, on the exported adapter."""
    _, rows = pieces.items()
    host = ModelHost(pieces.files)
    host.attach("it", trained.folder)
    total, count = 0.0, 0
    with torch.no_grad(), host.using("it") as adapter:
        if adapter.head is not None:
            trainee = EncoderTrainee(host.module, adapter.head, 0.0)
        else:
            trainee = CausalTrainee(host.module, host.module, rows[0].ids)
        trainee.eval()
        for row in rows:
            batch = OBJECTIVES.get(pieces.config.task)().collate([row], 0)
            batch.pop("rows")
            total += float(trainee(**batch))
            count += sum(label != IGNORED for label in (row.labels if adapter.head else row.labels[1:]))
    return total / count
