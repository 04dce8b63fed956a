"""The registry's log: who did what to which version, when and why, written in the transaction of the change itself.

``actor`` is what the process says of itself: a name for colleagues, no proof. Who may change what is for the roles of the
database to say.
"""

from __future__ import annotations

import getpass
import os
import socket
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Connection, insert, select
from sqlalchemy.orm import Session

from hatrack.registry.schema import EventRow

__all__ = ["MOVES", "AliasMove", "Event", "deleted_versions", "moves", "read_events", "who", "write_event"]

MOVES = ("promote", "promote with override", "rollback")
_LONGEST = 128


@dataclass(frozen=True)
class AliasMove:
    """One promotion or rollback of an adapter."""

    action: str
    version: str
    previous: str | None
    reason: str
    created: str
    actor: str = ""


@dataclass(frozen=True)
class Event:
    """One line of the log. ``name`` and ``version`` are empty where it is about the registry as a whole."""

    created: str
    actor: str
    action: str
    name: str
    version: str
    previous: str | None
    digest: str | None
    reason: str


def who() -> str:
    """``$HATRACK_ACTOR``, else user and machine."""
    named = os.environ.get("HATRACK_ACTOR", "").strip()
    if named:
        return named[:_LONGEST]
    try:
        user = getpass.getuser()
    except (OSError, KeyError):  # a container whose user has no name
        user = f"uid {os.getuid()}"
    return f"{user}@{socket.gethostname()}"[:_LONGEST]


def write_event(
    session: Session | Connection,
    action: str,
    *,
    name: str = "",
    version: str = "",
    previous: str | None = None,
    digest: str | None = None,
    reason: str = "",
    actor: str = "",
) -> None:
    """Add a line, as part of the caller's transaction."""
    line = {"name": name, "action": action, "version": version, "previous": previous, "digest": digest, "reason": reason}
    created = datetime.now(UTC).isoformat(timespec="seconds")
    session.execute(insert(EventRow).values(**line, created=created, actor=actor[:_LONGEST] or who()))


def read_events(session: Session, name: str | None, limit: int | None) -> list[Event]:
    """The newest lines, oldest of them first; of one adapter, or of all."""
    query = select(EventRow).order_by(EventRow.id.desc()).limit(limit)
    rows = session.scalars(query if name is None else query.where(EventRow.name == name)).all()
    return [Event(r.created, r.actor, r.action, r.name, r.version, r.previous, r.digest, r.reason) for r in reversed(rows)]


def moves(session: Session, name: str) -> list[AliasMove]:
    """Promotions and rollbacks of one adapter, oldest first."""
    query = select(EventRow).where(EventRow.name == name, EventRow.action.in_(MOVES)).order_by(EventRow.id)
    return [AliasMove(r.action, r.version, r.previous, r.reason, r.created, r.actor) for r in session.scalars(query)]


def deleted_versions(session: Session, name: str) -> set[str]:
    """Numbers that named a version once: nothing else may ever be called by them."""
    return set(session.scalars(select(EventRow.version).where(EventRow.name == name, EventRow.action == "delete")))
