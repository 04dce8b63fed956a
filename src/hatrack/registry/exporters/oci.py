"""The ``oci`` export: an image-layout folder (OCI image specification 1.1), which tools push to any container registry.

oci-layout            the version of the layout
index.json            one entry for each exported version, tagged NAME-VERSION
blobs/sha256/DIGEST   manifests, records (the config of each manifest), reports and files of adapters

An artifact has no layers to unpack: each layer is one file of the version, named by its annotation ``title``.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import Any

from hatrack.core.atomic import storage_errors, write_bytes, write_text
from hatrack.core.digest import canonical_json
from hatrack.core.errors import StorageError
from hatrack.core.lineage import Manifest
from hatrack.registry.store import Registry

__all__ = ["OciExport"]

_ARTIFACT = "application/vnd.hatrack.version.v1"
_RECORD = "application/vnd.hatrack.manifest.v1+json"
_REPORT = "application/vnd.hatrack.eval-report.v1+json"
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_INDEX = "application/vnd.oci.image.index.v1+json"
_TYPES = {".safetensors": "application/vnd.safetensors", ".json": "application/json"}
_TITLE = "org.opencontainers.image.title"
_TAG = "org.opencontainers.image.ref.name"


class OciExport:
    """Adds to a layout that is there already."""

    target = "a folder; default: NAME-oci"

    def export(self, registry: Registry, manifest: Manifest, out: str) -> str:
        folder = Path(out or f"{manifest.name}-oci")
        index = _index(folder)
        with storage_errors(folder):
            layers = [_file(folder, path) for path in sorted(registry.files(manifest).iterdir()) if path.name in manifest.files]
            report = registry.report(manifest)
            if report is not None:
                layers.append(_bytes(folder, report.model_dump_json().encode(), _REPORT, {_TITLE: "hatrack-report.json"}))
            made = {
                "schemaVersion": 2,
                "mediaType": _MANIFEST,
                "artifactType": _ARTIFACT,
                "config": _bytes(folder, manifest.model_dump_json().encode(), _RECORD),
                "layers": layers,
                "annotations": {
                    "org.opencontainers.image.created": manifest.created,
                    "org.opencontainers.image.version": manifest.version,
                    _TITLE: manifest.name,
                    "hatrack.digest": manifest.digest,
                    "hatrack.base": manifest.base,
                    "hatrack.base-fingerprint": manifest.base_fingerprint,
                },
            }
            tag = f"{manifest.name}-{manifest.version}"
            entry = _bytes(folder, canonical_json(made).encode(), _MANIFEST, {_TAG: tag}) | {"artifactType": _ARTIFACT}
            others = [one for one in index["manifests"] if one.get("annotations", {}).get(_TAG) != tag]
            write_text(folder / "oci-layout", json.dumps({"imageLayoutVersion": "1.0.0"}))
            write_text(folder / "index.json", json.dumps({**index, "manifests": [*others, entry]}, indent=1))
        return f"{folder}:{tag}"


def _index(folder: Path) -> dict[str, Any]:
    """The index of a layout, or that of a new one.

    Raises:
        StorageError: the folder is something else.
    """
    path = folder / "index.json"
    if not folder.exists() or not any(folder.iterdir()):
        return {"schemaVersion": 2, "mediaType": _INDEX, "manifests": []}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(found, dict) and isinstance(found.get("manifests"), list) and (folder / "oci-layout").is_file():
            return found
    except (OSError, ValueError):
        pass
    raise StorageError(
        "this folder holds something else than an OCI layout", given=str(folder), allowed="a new folder, or one that this command wrote"
    )


def _bytes(folder: Path, content: bytes, media_type: str, annotations: dict[str, str] | None = None) -> dict[str, Any]:
    digest = hashlib.sha256(content).hexdigest()
    write_bytes(folder / "blobs" / "sha256" / digest, content)
    described: dict[str, Any] = {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(content)}
    return described | ({"annotations": annotations} if annotations else {})


def _file(folder: Path, path: Path) -> dict[str, Any]:
    """A file whose digest was checked just now, copied beside its name and renamed."""
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    target = folder / "blobs" / "sha256" / digest
    target.parent.mkdir(parents=True, exist_ok=True)
    if not target.exists():
        staging = target.with_name(f".staging-{digest}")
        try:
            shutil.copyfile(path, staging)
            os.replace(staging, target)
        finally:
            staging.unlink(missing_ok=True)
    media_type = _TYPES.get(path.suffix, "application/octet-stream")
    return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": path.stat().st_size, "annotations": {_TITLE: path.name}}
