"""``hatrack bundle``: base, versions, knowledge, embedder, config and wheels into one signed file."""

from __future__ import annotations

import io
import sqlite3
import tarfile
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import yaml

from hatrack.core.atomic import STAGING, staged_file, storage_errors
from hatrack.core.digest import sha256_file
from hatrack.core.errors import ConfigError
from hatrack.core.lineage import TABLE
from hatrack.models.loading import BaseModelFiles, open_base
from hatrack.registry.store import CHAMPION
from hatrack.workflows.adapt import Workbench
from hatrack.workflows.bundle.record import HEAD, SIGNATURE, BundledFile, BundleRecord, sign

__all__ = ["pack"]

_CONFIG = "hatrack.yaml"
_OF_A_MODEL = {".safetensors", ".json", ".txt", ".model", ".jinja"}
_STATE = ".hatrack"
_ENGINES = ("llamacpp", "vllm")  # each has an extra of its name


def pack(bench: Workbench, out: Path, wheels: Path | None) -> BundleRecord:
    """Write the file ``out``, whole or not at all.

    Args:
        wheels: a folder of wheels that the other machine shall install from, as ``pip wheel`` fills it.

    Raises:
        ConfigError: nothing to take along, no key, or a folder without wheels. StorageError: the disk refuses.
    """
    names = [*bench.registry.names(), *bench.registry.names(TABLE)]
    if not names:
        raise ConfigError("there is no version to take along", given=str(bench.project.root), fix="run `hatrack adapt` first")
    extras = _extras(bench)
    if wheels is not None and not any(wheels.glob("*.whl")):
        fix = f'pip wheel "hatrack[{",".join(extras)}]" --wheel-dir FOLDER'
        raise ConfigError("the folder holds no wheels", given=str(wheels), fix=fix)
    sign(b"")  # a missing key is said before gigabytes are read
    state = bench.project.state
    with storage_errors(state), tempfile.TemporaryDirectory(dir=state, prefix=STAGING) as staging:
        left_out: list[str] = []
        sources = dict(_sources(bench, Path(staging), wheels, left_out))
        files = tuple(BundledFile(name=name, bytes=path.stat().st_size, sha256=sha256_file(path)) for name, path in sorted(sources.items()))
        record = BundleRecord(
            hatrack=version("hatrack"),
            base=bench.config.base,
            base_fingerprint=bench.files.fingerprint,
            versions=tuple(f"{m.name}@{m.version}" for name in names for m in bench.registry.versions(name)),
            champions={name: found for name in names if (found := bench.registry.aliases(name).get(CHAMPION))},
            left_out=tuple(left_out),
            extras=extras,
            files=files,
            created=datetime.now(UTC).isoformat(timespec="seconds"),
        )
        head = record.model_dump_json(indent=1).encode("utf-8")
        with staged_file(out) as stream, tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as tar:
            _add(tar, HEAD, io.BytesIO(head), len(head))
            signature = sign(head)
            _add(tar, SIGNATURE, io.BytesIO(signature), len(signature))
            for file in files:
                with sources[file.name].open("rb") as content:
                    _add(tar, file.name, content, file.bytes)
    return record


def _extras(bench: Workbench) -> tuple[str, ...]:
    """What the other machine installs Hatrack with: to unpack, to serve, and what the project uses besides."""
    used = ["bundle", "serve"]
    if bench.project.knowledge.is_dir():
        used.append("knowledge")
    if bench.registry.names(TABLE):
        used.append("tables")
    if bench.config.serve.engine in _ENGINES:
        used.append(bench.config.serve.engine)
    return tuple(sorted(used))


def _sources(bench: Workbench, staging: Path, wheels: Path | None, left_out: list[str]) -> Iterator[tuple[str, Path]]:
    """Name in the bundle to the file here; what must be written anew for it lies in ``staging``."""
    project = bench.project
    config: dict[str, Any] = yaml.safe_load((project.root / _CONFIG).read_text(encoding="utf-8"))
    config["base"] = "./base"
    yield from _model("base", bench.files)
    if project.knowledge.is_dir():
        yield from _below(project.knowledge, f"{_STATE}/{project.knowledge.name}")
        spec = bench.config.knowledge.embedder
        kind, colon, _ = spec.partition(":")
        if not colon:
            embedder = open_base(project.base_spec(spec))
            yield from _model("embedder", embedder)
            config.setdefault("knowledge", {})["embedder"] = "./embedder"
        elif kind != "hashing":
            left_out.append(f"the embedder {spec} must be there on the other machine")
    left_out += [f"the data of {name} stay here; it can be used there, not trained" for name in bench.config.adapters]
    yield from _below(project.blobs, f"{_STATE}/{project.blobs.name}")
    database = staging / project.database.name
    with sqlite3.connect(project.database) as live, sqlite3.connect(database) as copy:
        live.backup(copy)  # whole, also while something is being registered
    yield f"{_STATE}/{database.name}", database
    written = staging / _CONFIG
    written.write_text(yaml.safe_dump(config, sort_keys=False, allow_unicode=True), encoding="utf-8")
    yield _CONFIG, written
    for path in sorted(wheels.iterdir()) if wheels else ():
        if path.suffix == ".whl":
            yield f"wheels/{path.name}", path
        else:
            left_out.append(f"{path.name} is no wheel and stays here; `pip wheel` makes one of a source")


def _model(name: str, files: BaseModelFiles) -> Iterator[tuple[str, Path]]:
    for path in sorted(files.folder.rglob("*")):
        if path.is_file() and path.suffix in _OF_A_MODEL:
            yield f"{name}/{path.relative_to(files.folder).as_posix()}", path


def _below(folder: Path, name: str) -> Iterator[tuple[str, Path]]:
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder)
        if path.is_file() and not any(part.startswith(STAGING) for part in inside.parts):
            yield f"{name}/{inside.as_posix()}", path


def _add(tar: tarfile.TarFile, name: str, content: Any, size: int) -> None:
    """Nothing of this machine goes along: no owner, no time."""
    member = tarfile.TarInfo(name)
    member.size, member.mode = size, 0o644
    tar.addfile(member, content)
