"""The registry's tables, as the newest migration leaves them. SQLite by default; nothing here is particular to it."""

from __future__ import annotations

from sqlalchemy import BigInteger, ForeignKey, String, Text, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

__all__ = ["AliasRow", "AttachmentRow", "Base", "EventRow", "ReportRow", "StateRow", "VersionRow"]


class Base(DeclarativeBase):
    """Parent of all tables."""


class VersionRow(Base):
    """One immutable version of an adapter."""

    __tablename__ = "versions"
    __table_args__ = (UniqueConstraint("name", "version"), UniqueConstraint("name", "digest"))

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(64), index=True)
    version: Mapped[str] = mapped_column(String(32))
    digest: Mapped[str] = mapped_column(String(64), index=True)
    manifest: Mapped[str] = mapped_column(Text)


class AliasRow(Base):
    """A movable name for a version."""

    __tablename__ = "aliases"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    alias: Mapped[str] = mapped_column(String(64), primary_key=True)
    version_id: Mapped[int] = mapped_column(ForeignKey("versions.id"))


class ReportRow(Base):
    """An evaluation report of a version; the newest counts."""

    __tablename__ = "reports"

    id: Mapped[int] = mapped_column(primary_key=True)
    version_id: Mapped[int] = mapped_column(ForeignKey("versions.id"), index=True)
    report: Mapped[str] = mapped_column(Text)


class AttachmentRow(Base):
    """A file that was made of a version afterwards, and is no part of its identity; the newest of a kind counts."""

    __tablename__ = "attachments"

    id: Mapped[int] = mapped_column(primary_key=True)
    version_id: Mapped[int] = mapped_column(ForeignKey("versions.id"), index=True)
    kind: Mapped[str] = mapped_column(String(32))
    blob: Mapped[str] = mapped_column(String(64))
    created: Mapped[str] = mapped_column(String(32))


class EventRow(Base):
    """The log: who did what, when, and why. Triggers refuse to change or delete a line.

    ``name`` and ``version`` are empty where a line is about the registry as a whole.
    """

    __tablename__ = "events"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(64), index=True)
    action: Mapped[str] = mapped_column(String(32))
    version: Mapped[str] = mapped_column(String(32))
    previous: Mapped[str | None] = mapped_column(String(32))
    reason: Mapped[str] = mapped_column(Text)
    created: Mapped[str] = mapped_column(String(32))
    actor: Mapped[str] = mapped_column(String(128), server_default="")
    digest: Mapped[str | None] = mapped_column(String(64))


class StateRow(Base):
    """One row that every change counts itself in first: changes wait for each other here, and readers see that one was made."""

    __tablename__ = "state"

    id: Mapped[int] = mapped_column(primary_key=True)
    changes: Mapped[int] = mapped_column(BigInteger)
