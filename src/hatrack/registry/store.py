"""The registry: versions by name, reports by version, and where each alias points."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from semver import Version
from sqlalchemy import select
from sqlalchemy.orm import Session

from hatrack.core.config_provider import host_of
from hatrack.core.errors import AdapterMismatch, AdapterNotFound, StorageError, WeightsElsewhere
from hatrack.core.lineage import ADAPTER, TABLE, EvalReport, Manifest
from hatrack.core.names import BASE, closest, split_reference
from hatrack.core.project import Project
from hatrack.registry.audit import AliasMove, Event, deleted_versions, moves, read_events, write_event
from hatrack.registry.blobs.base import open_blobs
from hatrack.registry.database import Database
from hatrack.registry.folders import Attached, materialise
from hatrack.registry.migrate import make_ready
from hatrack.registry.place import Place, own_place
from hatrack.registry.schema import AliasRow, AttachmentRow, ReportRow, VersionRow

__all__ = ["CHAMPION", "AliasMove", "Registry"]

CHAMPION = "champion"

R = TypeVar("R", bound=BaseModel)


class Registry:
    """Versions, aliases and reports: of one project, or of all who name the same place in their config."""

    def __init__(self, project: Project, place: Place | None = None) -> None:
        """Open the registry that the project's config names, or the one at ``place``.

        Raises:
            ConfigError: the config cannot be used. SchemaMismatch: its tables are those of another version of Hatrack.
            RegistryUnreachable, StorageError: it cannot be opened. MissingExtra: a client of it is not installed.
        """
        self.place = place or own_place(project)
        self._folders = project.state / "cache" / "adapters"
        try:
            project.state.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StorageError("the project's folder cannot be written", given=f"{project.state}: {error.strerror}") from error
        self.blobs = open_blobs(self.place)
        self.database = Database(self.place)
        make_ready(self.database)

    def stamp(self) -> object:
        """A value that differs after any change: lets callers keep what they resolved. See ``Database.stamp`` for its cost."""
        return self.database.stamp()

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Nobody changes the registry inside the block but the block; what it changes happens whole, or not at all.

        Raises:
            RegistryUnreachable, StorageError: as ``Database.writing``.
        """
        with self.database.writing():
            yield

    def names(self, kind: str = ADAPTER) -> list[str]:
        """All adapters, or table models, that have a version."""
        of_kind = VersionRow.manifest.startswith(f'{{"kind":"{kind}"', autoescape=True)  # a manifest's first key, as pydantic writes it
        with self.database.reading() as session:
            return sorted(session.scalars(select(VersionRow.name).where(of_kind).distinct()))

    def versions(self, name: str) -> list[Manifest]:
        """All versions of one adapter, oldest first.

        Raises:
            AdapterNotFound: there is none.
        """
        with self.database.reading() as session:
            rows = session.scalars(select(VersionRow).where(VersionRow.name == name).order_by(VersionRow.id)).all()
        if not rows:
            raise self._unknown(name)
        return [_record(Manifest, row.manifest) for row in rows]

    def find(self, digest: str) -> Manifest | None:
        """The version with this digest, under whatever name, if it is registered here."""
        with self.database.reading() as session:
            row = session.scalars(select(VersionRow).where(VersionRow.digest == digest).order_by(VersionRow.id)).first()
        return _record(Manifest, row.manifest) if row else None

    def resolve(self, reference: str) -> Manifest:
        """``legal`` (its champion, else its newest version), ``legal@1.2.0``, ``legal@champion``, ``legal@latest``.

        Raises:
            AdapterNotFound: unknown name, version or alias, with the nearest ones (F23).
        """
        name, wanted = split_reference(reference)
        versions = self.versions(name)
        aliases = self.aliases(name)
        if wanted in ("", "latest"):
            chosen = aliases.get(CHAMPION) if not wanted else None
            wanted = chosen or versions[-1].version
        wanted = aliases.get(wanted, wanted)
        for manifest in versions:
            if manifest.version == wanted:
                return manifest
        known = [m.version for m in versions] + sorted(aliases) + ["latest"]
        near = closest(wanted, known, 1)
        raise AdapterNotFound(
            f"adapter {name} has no version or alias {wanted!r}",
            given=reference,
            allowed=", ".join(known),
            fix=f"did you mean {name}@{near[0]}?" if near else f"run `hatrack versions {name}`",
        )

    def aliases(self, name: str) -> dict[str, str]:
        """Alias to version."""
        query = (
            select(AliasRow.alias, VersionRow.version).join(VersionRow, AliasRow.version_id == VersionRow.id).where(AliasRow.name == name)
        )
        with self.database.reading() as session:
            return dict(session.execute(query).tuples().all())

    def add(self, manifest: Manifest, folder: Path, *, why: str = "") -> Manifest:
        """Store a version: first its files, then, in one transaction, its row. The same digest is stored once.

        A version number that another process took in the meantime, or that a deleted version had, is raised to the next free
        patch. Files are stored again even where the digest is known: that is how a damaged version is repaired.

        Raises:
            StorageError: the disk, the bucket or the database refuses; no version appears.
        """
        for name, digest in manifest.files.items():
            if self.blobs.put(folder / name) != digest:
                raise StorageError(f"{name} changed while it was stored", given=str(folder))
        with self.database.writing() as session:
            for name, digest in manifest.files.items():
                if not self.blobs.has(digest):  # somebody's gc came between, and now none can
                    self.blobs.put(folder / name)
            rows = session.scalars(select(VersionRow).where(VersionRow.name == manifest.name)).all()
            same = next((row for row in rows if row.digest == manifest.digest), None)
            if same is not None:
                return _record(Manifest, same.manifest)
            taken = {row.version for row in rows} | deleted_versions(session, manifest.name)
            while manifest.version in taken:
                manifest = manifest.model_copy(update={"version": self.next_version(manifest, "patch")})
            row = VersionRow(name=manifest.name, version=manifest.version, digest=manifest.digest, manifest=manifest.model_dump_json())
            session.add(row)
            reason = why or f"{manifest.config['task']} by {manifest.config['method']}"
            write_event(session, "register", name=manifest.name, version=manifest.version, digest=manifest.digest, reason=reason)
        return manifest

    def log(self, name: str | None = None, limit: int | None = None) -> list[Event]:
        """Who did what, when and why: the newest lines, oldest of them first."""
        with self.database.reading() as session:
            return read_events(session, name, limit)

    def folder(self, manifest: Manifest) -> Path:
        """The files of a version that can be loaded here, in a folder, checked.

        Raises:
            WeightsElsewhere: it has no weights here; ``files`` gives what it has.
            AdapterMismatch: it is a table model, which no base can wear.
            AdapterBroken: a file is missing or damaged.
        """
        if manifest.kind == TABLE:
            raise AdapterMismatch(
                f"{manifest.name} is a table model, not an adapter",
                given=f"{manifest.name}@{manifest.version}",
                allowed=", ".join([*self.names(), BASE]),
                fix=f"use `hatrack table predict {manifest.name}`, or /v1/tables/{manifest.name}/predict",
            )
        if manifest.hosted is not None:
            raise WeightsElsewhere(
                f"the weights of {manifest.name}@{manifest.version} are not on this machine, and this needs them",
                given=f"{manifest.hosted.model} at {host_of(manifest.hosted.base_url)}",
                allowed="eval, ask, chat, classify, versions, diff and promote for a hosted version",
                fix=f"train {manifest.name} here: `hatrack train {manifest.name}` without --provider",
            )
        return self.files(manifest)

    def files(self, manifest: Manifest) -> Path:
        """Whatever files a version has, in a folder, checked.

        Raises:
            AdapterBroken: a file is missing or damaged.
        """
        return materialise(self.blobs, manifest.files, self._folders / manifest.digest)

    def add_report(self, manifest: Manifest, report: EvalReport) -> None:
        """Attach an evaluation report to a version."""
        with self.database.writing() as session:
            session.add(ReportRow(version_id=self._row(session, manifest).id, report=report.model_dump_json()))

    def report(self, manifest: Manifest) -> EvalReport | None:
        """The newest report of a version, if it was ever evaluated."""
        with self.database.reading() as session:
            query = select(ReportRow).where(ReportRow.version_id == self._row(session, manifest).id).order_by(ReportRow.id.desc())
            row = session.scalars(query).first()
        return _record(EvalReport, row.report) if row else None

    def attach(self, manifest: Manifest, kind: str, file: Path) -> None:
        """Keep a file with a version that was made of it afterwards; an earlier one of this kind is not used any more.

        Raises:
            StorageError: the disk, the bucket or the database refuses.
        """
        blob = self.blobs.put(file)
        with self.database.writing() as session:
            if not self.blobs.has(blob):  # as in ``add``
                self.blobs.put(file)
            created = datetime.now(UTC).isoformat(timespec="seconds")
            session.add(AttachmentRow(version_id=self._row(session, manifest).id, kind=kind, blob=blob, created=created))

    def attached(self, kind: str) -> Mapping[str, Path]:
        """Digest of each version that has a file of this kind, to the newest one."""
        query = (
            select(VersionRow.digest, AttachmentRow.blob)
            .join(AttachmentRow, AttachmentRow.version_id == VersionRow.id)
            .where(AttachmentRow.kind == kind)
            .order_by(AttachmentRow.id)
        )
        with self.database.reading() as session:
            return Attached(dict(session.execute(query).tuples().all()), self.blobs.local)

    def move_alias(self, manifest: Manifest, alias: str, action: str, reason: str, actor: str = "") -> None:
        """Point an alias at a version and write down that it moved. Only ``hatrack.registry.promote`` calls this."""
        with self.database.writing() as session:
            target = self._row(session, manifest)
            row = session.get(AliasRow, (manifest.name, alias))
            before = session.get(VersionRow, row.version_id) if row else None
            session.merge(AliasRow(name=manifest.name, alias=alias, version_id=target.id))
            write_event(
                session, action, name=manifest.name, version=manifest.version, previous=before.version if before else None,
                digest=manifest.digest, reason=reason, actor=actor,
            )  # fmt: skip

    def history(self, name: str) -> list[AliasMove]:
        """Every promotion and rollback, oldest first."""
        with self.database.reading() as session:
            return moves(session, name)

    @staticmethod
    def next_version(parent: Manifest | None, bump: str) -> str:
        """``1.0.0``, or the parent's version raised in its ``major``, ``minor`` or ``patch`` part."""
        return "1.0.0" if parent is None else str(Version.parse(parent.version).next_version(bump))

    def _row(self, session: Session, manifest: Manifest) -> VersionRow:
        query = select(VersionRow).where(VersionRow.name == manifest.name, VersionRow.version == manifest.version)
        row = session.scalars(query).one_or_none()
        if row is None:  # somebody deleted it since it was looked up
            raise _gone(manifest)
        return row

    def _unknown(self, name: str) -> AdapterNotFound:
        names = self.names()
        near = closest(name, [*names, BASE], 1)
        return AdapterNotFound(
            f"there is no adapter called {name!r}",
            given=name,
            allowed=", ".join([*names, BASE]),
            fix=f"did you mean {near[0]}?" if near else ("run `hatrack versions`" if names else "run `hatrack adapt` first"),
        )


def _record(kind: type[R], text: str) -> R:
    try:
        return kind.model_validate_json(text)
    except ValidationError as error:
        raise StorageError(
            "the registry holds a record that this version of Hatrack cannot read",
            given=f"{kind.__name__}: {error.errors()[0]['loc']} {error.errors()[0]['msg']}",
            fix="use the version of Hatrack that wrote it, or train and evaluate again in a new project",
        ) from error


def _gone(manifest: Manifest) -> AdapterNotFound:
    return AdapterNotFound(
        f"adapter {manifest.name} has no version {manifest.version} any more",
        given=f"{manifest.name}@{manifest.version}",
        fix=f"run `hatrack registry log {manifest.name}` to see who deleted it",
    )
