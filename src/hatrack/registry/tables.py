"""From a finished table model's folder to its manifest: tables and adapters are versions of the same registry."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hatrack.core.digest import sha256_file, sha256_json
from hatrack.core.lineage import TABLE, DataRecord, Manifest, adapter_digest
from hatrack.registry.store import Registry

__all__ = ["table_manifest"]

_MAJOR = ("target", "task", "classes", "inputs")  # what callers see


def table_manifest(
    registry: Registry,
    name: str,
    folder: Path,
    *,
    behaviour: dict[str, Any],
    data: DataRecord,
    training: dict[str, float],
    libraries: dict[str, str],
    parents: tuple[str, ...] = (),
) -> Manifest:
    """The manifest of a new version of the table ``name``; every file in ``folder`` belongs to it.

    ``major`` rises when callers may have to change (target, classes, columns), ``minor`` with other data or another model,
    ``patch`` with anything else.
    """
    files = {path.name: sha256_file(path) for path in sorted(folder.iterdir())}
    weights = sha256_json(files)
    parent = registry.versions(name)[-1] if name in registry.names(TABLE) else None
    bump = "major"
    if parent is not None and all(parent.config.get(key) == behaviour[key] for key in _MAJOR):
        same = parent.data.digest == data.digest and parent.config["method"] == behaviour["method"]
        bump = "patch" if same else "minor"
    return Manifest(
        kind=TABLE,
        name=name,
        version=registry.next_version(parent, bump),
        digest=adapter_digest(weights, behaviour, "", ""),
        base="",
        base_fingerprint="",
        template_hash="",
        weights_digest=weights,
        config=behaviour,
        data=data,
        seed=int(behaviour["seed"]),
        parent=parent.digest if parent else None,
        parents=parents,
        training=training,
        libraries=libraries,
        files=files,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )
