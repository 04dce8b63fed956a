"""From a finished adapter's folder to its manifest: what it is, what it came from, and what its version is called."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hatrack.core.digest import sha256_file, sha256_json
from hatrack.core.lineage import DataRecord, HostedWeights, Manifest, adapter_digest
from hatrack.models.adapters.folder import CARD, CONFIG, HEAD, PROBE, WEIGHTS
from hatrack.models.backends.hosted import HOSTED
from hatrack.registry.store import Registry

__all__ = ["build_manifest", "differences", "version_bump"]

_FILES = (WEIGHTS, CONFIG, HEAD, HOSTED, CARD, PROBE)
_MAJOR = ("task", "labels", "system", "answer_schema")


def build_manifest(
    registry: Registry,
    name: str,
    folder: Path,
    *,
    base: str,
    base_fingerprint: str,
    template_hash: str,
    behaviour: dict[str, Any],
    data: DataRecord,
    training: dict[str, float],
    libraries: dict[str, str],
    parents: tuple[str, ...] = (),
    hosted: HostedWeights | None = None,
) -> Manifest:
    """The manifest of a new version of ``name``; its number follows from what changed since the newest one.

    Args:
        hosted: where the weights are, if not in ``folder``; the record of it stands in for them in the digest.
    """
    files = {f: sha256_file(folder / f) for f in _FILES if (folder / f).is_file()}
    # PEFT's config file is left out: what of it decides behaviour stands in ``behaviour``; the rest is PEFT's version
    weights = sha256_json({f: files[f] for f in (WEIGHTS, HEAD, HOSTED) if f in files})
    parent = registry.versions(name)[-1] if name in registry.names() else None
    draft = Manifest(
        name=name,
        version="0.0.0",
        digest=adapter_digest(weights, behaviour, base_fingerprint, template_hash),
        base=base,
        base_fingerprint=base_fingerprint,
        template_hash=template_hash,
        weights_digest=weights,
        config=behaviour,
        data=data,
        seed=int(behaviour["train"]["seed"]),
        parent=parent.digest if parent else None,
        parents=parents,
        training=training,
        libraries=libraries,
        files=files,
        hosted=hosted,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    bump = version_bump(parent, draft) if parent else "major"
    return draft.model_copy(update={"version": registry.next_version(parent, bump)})


def version_bump(parent: Manifest, new: Manifest) -> str:
    """Which part of the version number rises.

    ``major``: callers may have to change (base, template, task, labels, system prompt). ``minor``: it learned other
    data, or by another method. ``patch``: anything else, a seed or an epoch.
    """
    if parent.base_fingerprint != new.base_fingerprint or parent.template_hash != new.template_hash:
        return "major"
    if any(parent.config.get(key) != new.config.get(key) for key in _MAJOR):
        return "major"
    if parent.data.digest != new.data.digest or any(parent.config.get(key) != new.config.get(key) for key in ("method", "options")):
        return "minor"
    return "patch"


def differences(a: Manifest, b: Manifest) -> list[tuple[str, str, str]]:
    """``(field, in a, in b)`` for everything that differs, nested keys with dots; digests shortened."""
    skip = {"version", "created", "parent", "files", "weights_digest", "name", "kind"}
    left, right = (_flat(m.model_dump(mode="json", exclude=skip | (set() if m.hosted else {"hosted"}))) for m in (a, b))
    keys = list(dict.fromkeys([*left, *right]))
    return [(key, left.get(key, "-"), right.get(key, "-")) for key in keys if left.get(key) != right.get(key)]


def _flat(value: Any, prefix: str = "") -> dict[str, str]:
    if isinstance(value, dict):
        return {k: v for key, inner in value.items() for k, v in _flat(inner, f"{prefix}.{key}" if prefix else str(key)).items()}
    if isinstance(value, list):
        return {prefix: _listed(value)}
    text = str(value)
    return {prefix: text[:12] if len(text) == 64 else text}


def _listed(values: Iterable[Any]) -> str:
    items = [str(value) for value in values]
    return ", ".join(items) if len(items) <= 6 else f"{len(items)} items ({', '.join(items[:3])}, ...)"
