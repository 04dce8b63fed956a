"""What goes into a bundle, each file under the name that it has there, and what stays behind, a sentence each."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from hatrack.core.atomic import STAGING
from hatrack.core.config_file import CONFIG_NAME
from hatrack.core.config_provider import host_of
from hatrack.core.project import Project
from hatrack.core.sqlite_copy import copy_database
from hatrack.evaluation.drift.sample import REFERENCE
from hatrack.models.content import CONTENT
from hatrack.models.loading import BaseModelFiles, open_base
from hatrack.rag.knowledge import KnowledgeBase
from hatrack.rag.stores.base import parse_url
from hatrack.registry.blobs.folder import FolderBlobs
from hatrack.registry.care import named_blobs
from hatrack.registry.exchange import chosen
from hatrack.registry.place import own_place
from hatrack.registry.store import Registry
from hatrack.workflows.adapt import Workbench

__all__ = ["Contents"]

_OF_A_MODEL = {".safetensors", ".json", ".txt", ".model", ".jinja"}
_OF_A_PROCESS = (".lock", ".db-wal", ".db-shm", ".db-journal")
_HASHING = "hashing"  # the one embedder that needs no model


class Contents:
    """The files of a bundle; those that are made for it lie in ``staging``, a project of their own.

    Attributes:
        files: name in the bundle to the file here.
        left_out: what the project uses and the bundle does not hold, a sentence each.
    """

    def __init__(self, bench: Workbench, versions: Registry, staging: Project) -> None:
        """``versions`` are the records that go along, in the database of ``staging``.

        Raises:
            ModelError: a model that the project uses cannot be had. KnowledgeError: documents are being added just now.
            AdapterBroken: a file of a version is missing. RegistryUnreachable, StorageError: something cannot be read or written.
        """
        self.files: dict[str, Path] = {}
        self.left_out: list[str] = []
        self._bench, self._versions, self._staging = bench, versions, staging
        self._models: dict[Path, str] = {}
        self._config: dict[str, Any] = yaml.safe_load((bench.project.root / CONFIG_NAME).read_text(encoding="utf-8"))
        self._set(self._model(bench.files, "base"), "base")
        if bench.project.knowledge.is_dir():
            self._take_knowledge()
        self._take_routing()
        self._take_versions()
        self._say_what_stays()
        written = staging.root / CONFIG_NAME
        written.write_text(yaml.safe_dump(self._config, sort_keys=False, allow_unicode=True), encoding="utf-8")
        self._add(written)

    def _take_knowledge(self) -> None:
        project, settings = self._bench.project, self._bench.config.knowledge
        kb = KnowledgeBase(project, settings)
        try:
            with kb.alone():  # catalog and vectors must be of one moment
                self._copy_of(project.knowledge, self._staging.knowledge)
        finally:
            kb.close()
        store = parse_url(settings.store, project.root)
        absolute = urlsplit(settings.store).path.startswith("//")
        if store.host or absolute or not store.folder.is_relative_to(project.knowledge):
            self.left_out.append(f"the vectors of the documents lie in {store.shown}, which must be reached from the other machine")
        self._set(self._named(settings.embedder, "embedder", "the embedder"), "knowledge", "embedder")
        if settings.search.reranker is not None:
            self._set(self._named(settings.search.reranker, "reranker", "the reranker"), "knowledge", "search", "reranker")

    def _take_routing(self) -> None:
        """The encoder that compares texts, where there is something that a text can be compared with there."""
        near = self._bench.config.serve.cache.near.tenants
        if near or any(self._versions.attached(kind) for kind in (CONTENT, REFERENCE)):
            embedder = self._bench.config.routing.embedder
            self._set(self._named(embedder, "routing-embedder", "the embedder of routing"), "routing", "embedder")

    def _take_versions(self) -> None:
        self._add(self._staging.database)
        blobs = FolderBlobs(own_place(self._staging))
        for digest in named_blobs(self._versions):
            self.files[self._name(blobs.path(digest))] = self._versions.blobs.local(digest)
        shared = self._bench.config.registry.database or self._bench.config.registry.blobs
        if shared:
            del self._config["registry"]
            self.left_out.append(
                f"the registry {shared} is not asked on the other machine: the bundle holds a copy, which goes its own way"
            )

    def _say_what_stays(self) -> None:
        config, versions = self._bench.config, chosen(self._versions, ())
        readers = {
            (one.name, reading["embedder"]) for one in versions for reading in one.config.get("readings", ()) if "embedder" in reading
        }
        for table, embedder in sorted(readers):  # its version names the embedder, and a version is never changed
            if not embedder.startswith(f"{_HASHING}:"):
                self.left_out.append(
                    f"the table {table} reads texts with the embedder {embedder}, which must be there on the other machine"
                )
        for name, host in sorted({(one.name, host_of(one.hosted.base_url)) for one in versions if one.hosted is not None}):
            self.left_out.append(f"{name} is answered at {host}, which must be reached from the other machine")
        if config.serve.engine != "torch":
            self.left_out.append(f"the engine {config.serve.engine} must be there on the other machine")
        self.left_out += [f"the data of {name} stay here; it can be used there, not trained" for name in (*config.adapters, *config.tables)]

    def _named(self, spec: str, folder: str, use: str) -> str:
        """What the config in the bundle says for a model that it names ``spec`` here; a model of files goes along."""
        kind, colon, _ = spec.partition(":")
        if not colon or len(kind) == 1 or not kind.replace("-", "_").isidentifier():  # C:\models is a path
            return self._model(open_base(self._bench.project.base_spec(spec)), folder)
        if kind != _HASHING:
            self.left_out.append(f"{use} {spec} must be there on the other machine")
        return spec

    def _model(self, model: BaseModelFiles, name: str) -> str:
        """The folder that a model has in the bundle: ``name``, or where the same one is already."""
        folder = model.folder.resolve()
        if folder not in self._models:
            self._models[folder] = f"./{name}"
            for path in sorted(folder.rglob("*")):
                if path.is_file() and path.suffix in _OF_A_MODEL:
                    self.files[f"{name}/{path.relative_to(folder).as_posix()}"] = path
        return self._models[folder]

    def _copy_of(self, folder: Path, target: Path) -> None:
        for path in sorted(folder.rglob("*")):
            inside = path.relative_to(folder)
            if not path.is_file() or path.name.endswith(_OF_A_PROCESS) or any(part.startswith(STAGING) for part in inside.parts):
                continue
            copy = target / inside
            copy.parent.mkdir(parents=True, exist_ok=True)
            if path.suffix == ".db":
                copy_database(path, copy)
            else:
                shutil.copyfile(path, copy)
            self._add(copy)

    def _set(self, value: str, *keys: str) -> None:
        place = self._config
        for key in keys[:-1]:
            place = place.setdefault(key, {})
        place[keys[-1]] = value

    def _add(self, file: Path) -> None:
        self.files[self._name(file)] = file

    def _name(self, file: Path) -> str:
        return file.relative_to(self._staging.root).as_posix()
