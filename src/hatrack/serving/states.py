"""Every registered version as serving sees it just now: idle ones too (F30)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from hatrack.core.lineage import Manifest
from hatrack.registry.store import Registry
from hatrack.serving.engines.base import Residence, ServingEngine
from hatrack.serving.groups import GroupEngine
from hatrack.serving.hosted import HostedEngine

__all__ = ["AdapterState", "adapter_states"]

State = Literal["resident", "loading", "registered", "hosted"]


@dataclass(frozen=True)
class AdapterState:
    """One version. ``mixed`` is None until somebody asks for it."""

    manifest: Manifest
    aliases: tuple[str, ...]
    mixed: bool | None
    state: State
    pinned: bool
    running: int
    waiting: int
    loads: int
    evictions: int


def adapter_states(
    registry: Registry, engine: ServingEngine | None, groups: GroupEngine, hosted: HostedEngine, mixed: Mapping[str, bool]
) -> list[AdapterState]:
    """Of all versions, by name and then by version. ``mixed``: by digest, of the versions that somebody asked for."""
    residence = engine.residence() if engine else Residence()
    resident = {*groups.resident, *residence.resident}
    running: Counter[str] = groups.running() + hosted.running() + (engine.running() if engine else Counter())
    waiting = {**groups.waiting(), **hosted.waiting(), **(engine.waiting() if engine else {})}
    found = []
    for name in registry.names():
        aliases = registry.aliases(name)
        for manifest in registry.versions(name):
            digest = manifest.digest
            found.append(
                AdapterState(
                    manifest=manifest,
                    aliases=tuple(sorted(alias for alias, version in aliases.items() if version == manifest.version)),
                    mixed=mixed.get(digest),
                    state=_state(manifest, digest in resident, digest in residence.loading),
                    pinned=digest in residence.pinned,
                    running=running[digest],
                    waiting=waiting.get(digest, 0),
                    loads=groups.loads[digest] + residence.loads.get(digest, 0),
                    evictions=residence.evictions.get(digest, 0),
                )
            )
    return found


def _state(manifest: Manifest, resident: bool, loading: bool) -> State:
    if manifest.hosted is not None:
        return "hosted"
    return "resident" if resident else "loading" if loading else "registered"
