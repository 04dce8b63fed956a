"""Moves of aliases become a log of every change, with who made it; a row that counts changes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

__all__ = ["upgrade"]

revision = "0002"
down_revision = "0001"

_SAYS = "the log of the registry can only be added to"
_SQLITE = [
    f"CREATE TRIGGER events_never_{word}d BEFORE {word.upper()} ON events BEGIN SELECT RAISE(ABORT, '{_SAYS}'); END"
    for word in ("update", "delete")
]
_POSTGRESQL = [
    f"CREATE FUNCTION hatrack_only_added() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION '{_SAYS}'; END $$",
    "CREATE TRIGGER events_only_added BEFORE UPDATE OR DELETE OR TRUNCATE ON events "
    "FOR EACH STATEMENT EXECUTE FUNCTION hatrack_only_added()",
]


def upgrade() -> None:
    """Add who and which weights to the log, close it to changes, and begin to count."""
    op.add_column("events", sa.Column("actor", sa.String(128), nullable=False, server_default=""))
    op.add_column("events", sa.Column("digest", sa.String(64), nullable=True))
    state = op.create_table("state", sa.Column("id", sa.Integer(), primary_key=True), sa.Column("changes", sa.BigInteger(), nullable=False))
    op.execute(sa.insert(state).values(id=1, changes=0))
    for statement in _SQLITE if op.get_bind().dialect.name == "sqlite" else _POSTGRESQL:
        op.execute(statement)
