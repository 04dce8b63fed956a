"""Adapters trained once on the tiny bases, and copies of them to spoil."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path

import pytest
from rich.console import Console

from conftest import label_rows, write_jsonl
from hatrack.core.config import AdapterConfig
from hatrack.data.prepare import prepare
from hatrack.models.loading import BaseModelFiles, open_base


def train(root: Path, files: BaseModelFiles, task: str, seed: int, rows: int = 40, epochs: int = 2, **keys) -> Path:
    from hatrack.training.run import train_adapter

    write_jsonl(root / "data.jsonl", label_rows(rows, seed=seed))
    settings = {"epochs": epochs, "batch_size": 8, "max_length": 64, "learning_rate": 0.02, "seed": seed}
    given = {"data": "data.jsonl", "task": task, "train": settings, **({} if "method" in keys else {"r": 4, "alpha": 8}), **keys}
    config = AdapterConfig.model_validate(given)
    return train_adapter("first", config, files, prepare(config, root), root / "runs", Console(file=io.StringIO())).folder


@pytest.fixture(scope="session")
def causal_files(tiny_causal, tmp_path_factory) -> BaseModelFiles:
    return open_base(str(tiny_causal), cache=tmp_path_factory.mktemp("causal-cache"))


@pytest.fixture(scope="session")
def encoder_files(tiny_encoder, tmp_path_factory) -> BaseModelFiles:
    return open_base(str(tiny_encoder), cache=tmp_path_factory.mktemp("encoder-cache"))


@pytest.fixture(scope="session")
def adapter_a(causal_files, tmp_path_factory) -> Path:
    return train(tmp_path_factory.mktemp("a"), causal_files, "classify-by-text", 1)


@pytest.fixture(scope="session")
def adapter_b(causal_files, tmp_path_factory) -> Path:
    """On two of the three blocks and on fewer layers than ``adapter_a``, of another rank."""
    return train(
        tmp_path_factory.mktemp("b"), causal_files, "classify-by-text", 2, r=8, last_layers=2, target_modules=["q_proj", "up_proj"]
    )


@pytest.fixture(scope="session")
def adapter_e(encoder_files, tmp_path_factory) -> Path:
    return train(tmp_path_factory.mktemp("e"), encoder_files, "classify", 1)


@pytest.fixture
def spoiled(tmp_path):
    """``spoiled(folder)`` is a copy that may be damaged."""

    def copy(folder: Path) -> Path:
        return Path(shutil.copytree(folder, tmp_path / f"copy-{len(list(tmp_path.iterdir()))}"))

    return copy


@pytest.fixture
def edit_json():
    """``edit_json(path, key=value)`` changes keys of a JSON file."""

    def edit(path: Path, **changes) -> None:
        path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))

    return edit
