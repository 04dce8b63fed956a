"""Trained projects on the tiny models: made once, copied for every test that wants to change something."""

from __future__ import annotations

import functools
import io
import json
import shutil
from pathlib import Path
from typing import Any

import yaml

from conftest import label_rows, write_jsonl

__all__ = ["copy_of", "speaking_base", "trained_by_text", "trained_encoder", "write_project"]


def write_project(root: Path, base: Path, adapters: dict[str, Any], **keys: Any) -> Path:
    root.mkdir(parents=True, exist_ok=True)
    config = {"base": str(base), **keys, "adapters": adapters}
    (root / "hatrack.yaml").write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    return root


@functools.cache
def speaking_base(base: Path) -> Path:
    """The tiny causal model with a stop token it can learn to say.

    transformers starts the embedding of the padding token at zero; tied to the head, its logit would stay at zero.
    """
    import torch
    from safetensors.torch import load_file, save_file

    folder = Path(shutil.copytree(base, base.parent / "speaking-llama"))
    tensors = load_file(folder / "model.safetensors")
    stop = json.loads((folder / "config.json").read_text())["eos_token_id"]
    rows = tensors["model.embed_tokens.weight"]
    rows[stop] = 0.2 * torch.randn(rows.shape[1], generator=torch.Generator().manual_seed(5))
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


@functools.cache
def trained_by_text(base: Path) -> Path:
    """On a causal base: ``colours`` learned its labels and beats the base; ``shy`` was hardly trained, on others."""
    root = base.parent / "project-by-text"
    write_jsonl(root / "colours.jsonl", label_rows(150))
    write_jsonl(root / "shy.jsonl", label_rows(30, ("one", "two"), seed=1))
    one = {"task": "classify-by-text", "r": 8, "alpha": 16, "split": [0.6, 0.1, 0.3]}
    learn = {"epochs": 6, "batch_size": 8, "max_length": 64, "learning_rate": 0.01}
    write_project(
        root,
        speaking_base(base),
        {
            "colours": {"data": "colours.jsonl", "system": "Name the colour.", "train": learn, **one},
            "shy": {"data": "shy.jsonl", "train": {**learn, "epochs": 2}, **one},
        },
    )
    _train(root)
    return root


@functools.cache
def trained_encoder(base: Path) -> Path:
    """On an encoder: one version of the classifier ``words``, not evaluated."""
    root = base.parent / "project-encoder"
    write_jsonl(root / "words.jsonl", label_rows(60))
    train = {"epochs": 2, "batch_size": 8, "max_length": 64}
    write_project(root, base, {"words": {"data": "words.jsonl", "task": "classify", "r": 4, "alpha": 8, "train": train}})
    _train(root)
    return root


def copy_of(project: Path, folder: Path) -> Path:
    """A project of one's own, registry and all."""
    return Path(shutil.copytree(project, folder / "copy"))


def _train(root: Path) -> None:
    from rich.console import Console

    from hatrack.workflows.adapt import Workbench

    bench = Workbench.open(root, Console(file=io.StringIO()))
    for name in bench.config.adapters:
        bench.train(name, bench.prepare(name))
