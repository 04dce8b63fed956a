"""The ``postgresql`` store: PostgreSQL with the extension pgvector, a table for each collection."""

from __future__ import annotations

import json
import threading
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from hatrack.core.digest import sha256_text
from hatrack.core.errors import KnowledgeError, StoreUnreachable
from hatrack.core.extras import require
from hatrack.models.embedders.base import Vectors
from hatrack.rag.filters import AllOf, AnyOf, Filter, NoneOf, OneOf, Range
from hatrack.rag.stores.base import Found, Point, StoreURL, wrong_dimension

__all__ = ["PostgresStore"]

_OPTIONS = ("host", "port", "sslmode", "sslrootcert", "connect_timeout", "options", "application_name")
_LONGEST = 63  # bytes of a table's name
_SIGNS = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}


class PostgresStore:
    """``postgresql://USER@HOST/DATABASE``; a password is read where libpq looks for it (PGPASSWORD, ~/.pgpass).

    The search is exact; where a table grows large, an index on ``vector`` with ``vector_ip_ops`` makes it approximate.

    Raises:
        ConfigError: an option that it does not have. MissingExtra: psycopg is not installed.
    """

    one_dimension = False

    def __init__(self, url: StoreURL) -> None:
        url.only(*_OPTIONS)
        self._driver: Any = require("psycopg", extra="postgresql", reason="a postgresql store")
        self._sql: Any = require("psycopg.sql", extra="postgresql", reason="a postgresql store")
        self._url, self._shown = url.text, url.shown
        self._connection: Any = None
        self._lock = threading.RLock()

    def put(self, collection: str, points: Sequence[Point]) -> None:
        if not points:
            return
        with self._transaction() as db:
            size = self._size(db, collection)
            if size is None:
                size = len(points[0].vector)
                made = "CREATE TABLE {} (id uuid PRIMARY KEY, payload jsonb NOT NULL, vector vector({}) NOT NULL)"
                db.execute(self._sql.SQL(made).format(self._table(collection), self._sql.Literal(size)))
            for point in points:
                if len(point.vector) != size:
                    raise wrong_dimension(collection, len(point.vector), size)
            query = "INSERT INTO {} VALUES (%s, %s, %s) ON CONFLICT (id) DO UPDATE SET payload = excluded.payload, vector = excluded.vector"
            rows = [(p.id, json.dumps(dict(p.payload)), _text(p.vector)) for p in points]
            with db.cursor() as cursor:
                cursor.executemany(self._sql.SQL(query).format(self._table(collection)), rows)

    def remove(self, collection: str, ids: Collection[str]) -> None:
        with self._transaction() as db:
            if ids and self._size(db, collection) is not None:
                db.execute(self._sql.SQL("DELETE FROM {} WHERE id = ANY(%s::uuid[])").format(self._table(collection)), (list(ids),))

    def search(self, collection: str, vector: Vectors, k: int, where: Filter | None = None) -> list[Found]:
        condition, parameters = _condition(where)
        with self._transaction() as db:
            size = self._size(db, collection)
            if size is None:
                return []
            if len(vector) != size:
                raise wrong_dimension(collection, len(vector), size)
            query = f"SELECT id, -(vector <#> %s::vector) FROM {{}} WHERE {condition} ORDER BY vector <#> %s::vector LIMIT %s"  # noqa: S608
            text = _text(vector)
            rows = db.execute(self._sql.SQL(query).format(self._table(collection)), (text, *parameters, text, k))
            return [Found(str(one), float(score)) for one, score in rows]

    def vectors(self, collection: str, ids: Collection[str]) -> dict[str, Vectors]:
        with self._transaction() as db:
            if not ids or self._size(db, collection) is None:
                return {}
            query = self._sql.SQL("SELECT id, vector::text FROM {} WHERE id = ANY(%s::uuid[])").format(self._table(collection))
            return {str(one): np.array(json.loads(text), dtype=np.float32) for one, text in db.execute(query, (list(ids),))}

    def count(self, collection: str) -> int:
        with self._transaction() as db:
            if self._size(db, collection) is None:
                return 0
            return int(db.execute(self._sql.SQL("SELECT count(*) FROM {}").format(self._table(collection))).fetchone()[0])

    def clear(self, collection: str) -> None:
        with self._transaction() as db:
            db.execute(self._sql.SQL("DROP TABLE IF EXISTS {}").format(self._table(collection)))

    def prepare(self, collection: str) -> None:
        """There is nothing: the search is exact."""

    def close(self) -> None:
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def _table(self, collection: str) -> Any:
        name = f"hatrack_{collection}"
        return self._sql.Identifier(name if len(name) <= _LONGEST else f"hatrack_{sha256_text(collection)[:40]}")

    def _size(self, db: Any, collection: str) -> int | None:
        """Dimension of a collection; None where there is none. pgvector keeps it as the type's modifier."""
        query = "SELECT atttypmod FROM pg_attribute WHERE attrelid = to_regclass(%s) AND attname = 'vector'"
        row = db.execute(query, (self._table(collection).as_string(db),)).fetchone()
        return int(row[0]) if row else None

    @contextmanager
    def _transaction(self) -> Iterator[Any]:
        """One transaction, on a connection that is made anew where the last one was lost."""
        with self._lock:
            try:
                if self._connection is None or self._connection.closed:
                    self._connection = self._driver.connect(self._url, connect_timeout=10)
                    with self._connection.transaction():
                        self._connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
                with self._connection.transaction():
                    yield self._connection
            except self._driver.OperationalError as error:
                raise StoreUnreachable(
                    "the PostgreSQL server does not answer",
                    given=f"{self._shown}: {' '.join(str(error).split())}",
                    fix="look at the server and at knowledge.store",
                ) from error
            except self._driver.Error as error:
                raise KnowledgeError(
                    "the PostgreSQL server refuses",
                    given=f"{self._shown}: {' '.join(str(error).split())}",
                    allowed="a database with the extension pgvector and the right to make tables",
                    fix="look at the server, and CREATE EXTENSION vector as its owner",
                ) from error


def _text(vector: Vectors) -> str:
    return "[" + ",".join(repr(float(value)) for value in vector) + "]"


def _condition(where: Filter | None) -> tuple[str, list[Any]]:
    """A condition that is never NULL, and its parameters. Two values of jsonb are equal where JSON would say so."""
    match where:
        case None:
            return "true", []
        case OneOf(field, values):
            return "coalesce(payload -> %s = ANY(%s::jsonb[]), false)", [field, [json.dumps(value) for value in values]]
        case Range(field):
            bounds = [(sign, getattr(where, name)) for name, sign in _SIGNS.items() if getattr(where, name) is not None]
            compared = "".join(f" AND payload -> %s {sign} %s::jsonb" for sign, _ in bounds)
            pairs = [value for _, limit in bounds for value in (field, json.dumps(limit))]
            return f"coalesce(jsonb_typeof(payload -> %s) = 'number'{compared}, false)", [field, *pairs]
        case NoneOf(part):
            condition, parameters = _condition(part)
            return f"NOT {condition}", parameters
        case AllOf(parts) | AnyOf(parts):
            made = [_condition(part) for part in parts]
            word = " AND " if isinstance(where, AllOf) else " OR "
            return f"({word.join(condition for condition, _ in made)})", [value for _, some in made for value in some]
