"""Looking after a registry: hash everything again, take versions out, and clear away files that nothing names."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import delete, select

from hatrack.core.errors import AdapterBroken, AdapterError
from hatrack.core.lineage import Manifest, adapter_digest
from hatrack.registry.audit import write_event
from hatrack.registry.blobs.base import Blob
from hatrack.registry.schema import AttachmentRow, ReportRow, VersionRow
from hatrack.registry.store import Registry

__all__ = ["Collected", "Fault", "Verified", "collect", "delete_version", "named_blobs", "verify"]

_BATCH = 200  # blobs that are removed while nobody else can change the registry


@dataclass(frozen=True)
class Fault:
    """Something that is not as it was recorded: which version needs it, where it lies, what is wrong."""

    version: str
    where: str
    wrong: str


@dataclass(frozen=True)
class Verified:
    """What was looked at. ``unnamed``: blobs that no version names, which is no fault."""

    versions: int
    blobs: int
    size: int
    unnamed: int
    faults: tuple[Fault, ...]


@dataclass(frozen=True)
class Collected:
    """Blobs that were removed, or would be. ``young``: unnamed ones that are left, a registration may be about to name them."""

    removed: tuple[Blob, ...]
    young: int

    @property
    def size(self) -> int:
        """Bytes of what was removed."""
        return sum(blob.size for blob in self.removed)


def named_blobs(registry: Registry) -> dict[str, str]:
    """Every blob that a version needs, to the first version and file that name it."""
    named: dict[str, str] = {}
    with registry.database.reading() as session:
        for manifest in _manifests(registry):
            for file, digest in manifest.files.items():
                named.setdefault(digest, f"{manifest.name}@{manifest.version} {file}")
        query = select(AttachmentRow.blob, AttachmentRow.kind, VersionRow.name, VersionRow.version).join(
            VersionRow, AttachmentRow.version_id == VersionRow.id
        )
        for blob, kind, name, version in session.execute(query).tuples():
            named.setdefault(blob, f"{name}@{version} {kind}")
    return named


def verify(registry: Registry, progress: Callable[[int, int], None] = lambda done, total: None) -> Verified:
    """Hash every file of every version where it lies, and each manifest's own digest. Nothing is changed.

    Args:
        progress: called with the number of blobs that are done, and of all.

    Raises:
        RegistryUnreachable, StorageError: it cannot be looked at.
    """
    faults = []
    manifests = _manifests(registry)
    for manifest in manifests:
        meant = adapter_digest(manifest.weights_digest, manifest.config, manifest.base_fingerprint, manifest.template_hash)
        if meant != manifest.digest:
            wrong = f"its record does not belong to its digest {manifest.digest[:12]}"
            faults.append(Fault(f"{manifest.name}@{manifest.version}", registry.place.shown, wrong))
    named = named_blobs(registry)
    size = 0
    for done, (digest, version) in enumerate(named.items()):
        progress(done, len(named))
        found = hashlib.sha256()
        try:
            for piece in registry.blobs.content(digest):
                found.update(piece)
                size += len(piece)
        except AdapterBroken:
            faults.append(Fault(version, registry.blobs.where(digest), "it is missing"))
            continue
        if found.hexdigest() != digest:
            faults.append(Fault(version, registry.blobs.where(digest), f"it holds other bytes: sha256 {found.hexdigest()[:12]}"))
    progress(len(named), len(named))
    unnamed = sum(1 for blob in registry.blobs.all() if blob.digest not in named)
    return Verified(len(manifests), len(named), size, unnamed, tuple(faults))


def collect(registry: Registry, grace_seconds: float, *, dry_run: bool = False, why: str = "") -> Collected:
    """Remove blobs that no version names and that are older than ``grace_seconds``.

    What is removed is looked up while nobody can register anything, and a registration looks whether its files are still
    there while nothing can be removed: so no version ever loses a file, whatever the grace. The grace spares those who are
    registering now the work of storing files twice.

    Raises:
        RegistryUnreachable, StorageError: it cannot be read or changed; what was removed until then is in the log.
    """
    named, now = named_blobs(registry), time.time()
    unnamed = [blob for blob in registry.blobs.all() if blob.digest not in named]
    old = [blob for blob in unnamed if now - blob.written >= grace_seconds]
    young = len(unnamed) - len(old)
    if dry_run:
        return Collected(tuple(old), young)
    removed: list[Blob] = []
    for start in range(0, len(old), _BATCH):
        with registry.exclusive(), registry.database.writing() as session:
            named = named_blobs(registry)
            gone = [blob for blob in old[start : start + _BATCH] if blob.digest not in named]
            if gone:
                text = f"{len(gone)} files that no version names, {sum(blob.size for blob in gone)} bytes"
                write_event(session, "gc", reason=f"{text}: {why.strip()}" if why.strip() else text)
                registry.blobs.remove([blob.digest for blob in gone])
                removed += gone
    return Collected(tuple(removed), young)


def delete_version(registry: Registry, reference: str, why: str) -> Manifest:
    """Take a version out, with its reports. Its number is never used again; its files go with the next ``collect``.

    Raises:
        AdapterNotFound: there is no such version.
        AdapterError: an alias points to it, or no reason is given.
    """
    if not why.strip():
        raise AdapterError("a version is deleted for a reason", given="none", allowed='--why "REASON"; it is kept in the log')
    with registry.exclusive(), registry.database.writing() as session:
        manifest = registry.resolve(reference)
        held = sorted(alias for alias, version in registry.aliases(manifest.name).items() if version == manifest.version)
        if held:
            raise AdapterError(
                f"{manifest.name}@{manifest.version} is {held[0]}, and whoever asks for {manifest.name} gets it",
                given=reference,
                allowed="a version that no alias points to",
                fix=f"run `hatrack rollback {manifest.name}` or promote another version first",
            )
        of_it = select(VersionRow.id).where(VersionRow.name == manifest.name, VersionRow.version == manifest.version)
        number = session.scalars(of_it).one()
        for table in (ReportRow, AttachmentRow):
            session.execute(delete(table).where(table.version_id == number))
        session.execute(delete(VersionRow).where(VersionRow.id == number))
        write_event(session, "delete", name=manifest.name, version=manifest.version, digest=manifest.digest, reason=why.strip())
    return manifest


def _manifests(registry: Registry) -> list[Manifest]:
    with registry.database.reading() as session:
        names = session.scalars(select(VersionRow.name).distinct().order_by(VersionRow.name)).all()
        return [manifest for name in names for manifest in registry.versions(name)]
