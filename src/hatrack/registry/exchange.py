"""Versions from one registry into another: files, record, reports and attachments; who is champion stays each one's own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import select

from hatrack.core.lineage import TABLE, EvalReport, Manifest
from hatrack.registry.schema import AttachmentRow, ReportRow, VersionRow
from hatrack.registry.store import Registry

__all__ = ["Moved", "chosen", "copy_version"]


@dataclass(frozen=True)
class Moved:
    """One version on its way: as it is called here and there. ``new``: it was not there before."""

    source: Manifest
    target: Manifest
    new: bool
    reports: int
    attachments: int


def chosen(registry: Registry, references: Sequence[str]) -> list[Manifest]:
    """``NAME`` is all of its versions, ``NAME@VERSION`` one; nothing is everything. Oldest first.

    Raises:
        AdapterNotFound: there is none.
    """
    found: list[Manifest] = []
    for reference in references or [*registry.names(), *registry.names(TABLE)]:
        found += [registry.resolve(reference)] if "@" in reference else registry.versions(reference)
    return list({(manifest.name, manifest.version): manifest for manifest in found}.values())


def copy_version(source: Registry, target: Registry, manifest: Manifest, why: str) -> Moved:
    """Bring a version, with what is known of it, into another registry; what is there already is not brought again.

    The digest stays what it is. A number that another version has there is raised to the next free patch.

    Raises:
        AdapterBroken: a file of it is missing or damaged here. RegistryUnreachable, StorageError: one of both fails; what was
        brought until then is whole, and the rest comes when it is done again.
    """
    there = {one.digest for one in target.versions(manifest.name)} if manifest.name in _all_names(target) else set()
    stored = target.add(manifest, source.files(manifest), why=why)
    known = {report.model_dump_json() for report in _reports(target, stored)}
    reports = [report for report in _reports(source, manifest) if report.model_dump_json() not in known]
    for report in reports:
        target.add_report(stored, report)
    had = dict(_attachments(target, stored))
    brought = [(kind, blob) for kind, blob in dict(_attachments(source, manifest)).items() if had.get(kind) != blob]
    for kind, blob in brought:
        target.attach(stored, kind, source.blobs.local(blob))
    return Moved(manifest, stored, manifest.digest not in there, len(reports), len(brought))


def _all_names(registry: Registry) -> list[str]:
    return [*registry.names(), *registry.names(TABLE)]


def _reports(registry: Registry, manifest: Manifest) -> list[EvalReport]:
    query = select(ReportRow.report).join(VersionRow, ReportRow.version_id == VersionRow.id).order_by(ReportRow.id)
    with registry.database.reading() as session:
        rows = session.scalars(query.where(VersionRow.name == manifest.name, VersionRow.version == manifest.version)).all()
    return [EvalReport.model_validate_json(row) for row in rows]


def _attachments(registry: Registry, manifest: Manifest) -> Iterator[tuple[str, str]]:
    """Kind and blob, oldest first: of a kind, the last one counts."""
    query = (
        select(AttachmentRow.kind, AttachmentRow.blob)
        .join(VersionRow, AttachmentRow.version_id == VersionRow.id)
        .where(VersionRow.name == manifest.name, VersionRow.version == manifest.version)
        .order_by(AttachmentRow.id)
    )
    with registry.database.reading() as session:
        yield from session.execute(query).tuples().all()
