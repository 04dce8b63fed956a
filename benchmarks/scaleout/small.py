"""Many registered versions of which only the rows count: all of them have the same small files."""

from __future__ import annotations

from pathlib import Path

import yaml

from hatrack.core.digest import sha256_text
from hatrack.core.lineage import DataRecord
from hatrack.core.project import Project
from hatrack.registry.database import Database
from hatrack.registry.manifest import build_manifest
from hatrack.registry.migrate import upgrade
from hatrack.registry.place import own_place
from hatrack.registry.store import Registry

_FILES = {"adapter_config.json": "{}", "adapter_model.safetensors": "weights", "card.json": "{}"}


class Filler:
    """Registers versions in a project of its own, in SQLite or in the database at a URL."""

    def __init__(self, root: Path, database: str | None) -> None:
        root.mkdir(parents=True)
        config: dict[str, object] = {"adapters": {"first": {"data": "data.jsonl", "task": "instruct"}}}
        if database:
            config["registry"] = {"database": database, "blobs": "blobs"}
        (root / "hatrack.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
        self.project = Project(root)
        if database:
            upgrade(Database(own_place(self.project)))
        self._registry = Registry(self.project)
        self._folder = root / "files"
        self._folder.mkdir()
        for name, text in _FILES.items():
            (self._folder / name).write_text(text, encoding="utf-8")
        parts = dict.fromkeys(("digest", "train_digest", "validation_digest", "test_digest"), "0" * 64)
        self._manifest = build_manifest(
            self._registry,
            "first",
            self._folder,
            base="base",
            base_fingerprint="0" * 64,
            template_hash="0" * 64,
            behaviour={"task": "instruct", "method": "lora", "options": {"r": 16}, "labels": [], "system": None, "train": {"seed": 1}},
            data=DataRecord(**parts, rows={"train": 1, "validation": 1, "test": 1}, rejected=0, source_files={}),
            training={"seconds": 1.0},
            libraries={},
        )

    def register(self, name: str) -> None:
        """A version of ``name``, with a digest of its own."""
        self._registry.add(self._manifest.model_copy(update={"name": name, "digest": sha256_text(name)}), self._folder)
