"""A project whose adapter is trained at the provider on loopback, and what is left of it on disk."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from conftest import label_rows, write_jsonl
from projects import speaking_base
from provider_server import ProviderServer

__all__ = ["MODEL", "colour_in", "hosted_project", "ledger", "run_folder", "set_provider"]

MODEL = "gpt-tiny"


def hosted_project(root: Path, base: Path, server: ProviderServer, rows: Any = None, **keys: Any) -> Path:
    """The adapter ``colours``, to be trained by ``train colours --provider openai``."""
    write_jsonl(root / "data.jsonl", label_rows(150) if rows is None else rows)
    adapter = {"data": "data.jsonl", "task": "classify-by-text", "system": "Name the colour.", "split": [0.6, 0.1, 0.3], "r": 4}
    adapter |= {"train": {"epochs": 1, "max_length": 64}, **keys}
    provider = {"model": MODEL, "base_url": server.base_url, "poll_seconds": 0.01, "epochs": 2}
    config = {"base": str(speaking_base(base)), "adapters": {"colours": adapter}, "provider": provider}
    (root / "hatrack.yaml").write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    return root


def set_provider(root: Path, **keys: Any) -> None:
    config = yaml.safe_load((root / "hatrack.yaml").read_text())
    config["provider"] |= keys
    (root / "hatrack.yaml").write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")


def run_folder(root: Path) -> Path:
    [found] = [path for path in (root / ".hatrack" / "runs").iterdir() if path.is_dir()]
    return found


def ledger(root: Path) -> dict[str, Any]:
    return json.loads((run_folder(root) / "job.json").read_text())


def colour_in(model: str, messages: list[dict[str, str]]) -> str:
    """A model that has learned the task."""
    return next((word for word in ("red", "green", "blue") if word in messages[-1]["content"].split()), "none")
