"""``hatrack bundle``: base, versions, knowledge, other models, config and wheels into one signed file."""

from __future__ import annotations

import io
import tarfile
import tempfile
from collections.abc import Mapping
from contextlib import closing
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from hatrack.core.atomic import STAGING, staged_file, storage_errors
from hatrack.core.digest import sha256_file
from hatrack.core.errors import AdapterBroken, ConfigError
from hatrack.core.lineage import TABLE
from hatrack.core.project import Project
from hatrack.registry.care import named_blobs
from hatrack.registry.exchange import chosen
from hatrack.registry.snapshot import snapshot
from hatrack.registry.store import CHAMPION, Registry
from hatrack.workflows.adapt import Workbench
from hatrack.workflows.bundle.contents import Contents
from hatrack.workflows.bundle.record import HEAD, SIGNATURE, BundledFile, BundleRecord, sign

__all__ = ["pack"]

_ENGINES = ("llamacpp", "vllm")  # each has an extra of its name


def pack(bench: Workbench, out: Path, wheels: Path | None) -> BundleRecord:
    """Write the file ``out``, whole or not at all.

    What is listed and what is packed is one snapshot of the registry, wherever that is.

    Args:
        wheels: a folder of wheels that the other machine shall install from, as ``pip wheel`` fills it.

    Raises:
        ConfigError: nothing to take along, no key, or a folder without wheels. AdapterBroken: a file of a version is damaged.
        ModelError, KnowledgeError, RegistryUnreachable: as ``Contents``. StorageError: the disk refuses.
    """
    if not chosen(bench.registry, ()):
        raise ConfigError("there is no version to take along", given=str(bench.project.root), fix="run `hatrack adapt` first")
    if wheels is not None and not any(wheels.glob("*.whl")):
        fix = f'pip wheel "hatrack[{",".join(_extras(bench))}]" --wheel-dir FOLDER'
        raise ConfigError("the folder holds no wheels", given=str(wheels), fix=fix)
    sign(b"")  # a missing key is said before gigabytes are read
    state = bench.project.state
    with storage_errors(state), tempfile.TemporaryDirectory(dir=state, prefix=STAGING) as folder:
        staging = Project(Path(folder))
        versions = snapshot(bench.registry, staging)
        with closing(versions.database):
            contents = Contents(bench, versions, staging)
            brought = sorted(wheels.iterdir()) if wheels else []
            sources = contents.files | {f"wheels/{path.name}": path for path in brought if path.suffix == ".whl"}
            no_wheels = (path.name for path in brought if path.suffix != ".whl")
            stays = [f"{name} is no wheel and stays here; `pip wheel` makes one of a source" for name in no_wheels]
            record = _record(bench, versions, sources, [*contents.left_out, *stays])
        _write(out, record, sources)
    return record


def _record(bench: Workbench, versions: Registry, sources: Mapping[str, Path], left_out: list[str]) -> BundleRecord:
    blobs = named_blobs(versions)
    files = tuple(BundledFile(name=name, bytes=path.stat().st_size, sha256=sha256_file(path)) for name, path in sorted(sources.items()))
    for file in files:
        meant = file.name.rpartition("/")[2]
        if meant in blobs and meant != file.sha256:
            raise AdapterBroken(
                "a file of a version is damaged in the registry",
                given=f"{blobs[meant]}: {versions.blobs.where(meant)}",
                allowed=f"sha256 {meant[:12]}...",
                fix="restore it from a backup, or train the adapter again; `hatrack registry verify` looks at all files",
            )
    names = [*versions.names(), *versions.names(TABLE)]
    return BundleRecord(
        hatrack=version("hatrack"),
        base=bench.config.base,
        base_fingerprint=bench.files.fingerprint,
        versions=tuple(f"{one.name}@{one.version}" for one in chosen(versions, ())),
        champions={name: found for name in names if (found := versions.aliases(name).get(CHAMPION))},
        left_out=tuple(left_out),
        extras=_extras(bench),
        files=files,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )


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


def _write(out: Path, record: BundleRecord, sources: Mapping[str, Path]) -> None:
    head = record.model_dump_json(indent=1).encode("utf-8")
    with staged_file(out) as stream, tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as tar:
        _add(tar, HEAD, io.BytesIO(head), len(head))
        signature = sign(head)
        _add(tar, SIGNATURE, io.BytesIO(signature), len(signature))
        for file in record.files:
            with sources[file.name].open("rb") as content:
                _add(tar, file.name, content, file.bytes)


def _add(tar: tarfile.TarFile, name: str, content: Any, size: int) -> None:
    """Nothing of this machine goes along: no owner, no time."""
    member = tarfile.TarInfo(name)
    member.size, member.mode = size, 0o644
    tar.addfile(member, content)
