"""The catalog: which documents are there, as what chunks; one SQLite file, the truth of a knowledge base.

    writing ──► ready ──► leaving ──► gone
       │          the store has its vectors
       └─ killed here: taken back by the next writer

A document counts from the commit that makes it ready, in which the version before it begins to leave. What lies between
two states, a killed writer's vectors, is found here and taken out of the store.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hatrack.rag.filters import Filter
from hatrack.rag.records import Chunk, Document
from hatrack.rag.sql import sqlite_condition
from hatrack.rag.sqlite import open_database, transaction

__all__ = ["Catalog", "ChunkRow", "Cut", "DocumentRow"]

_SPACE = uuid.UUID("6f6f1f0c-5d1b-4f5e-9d5a-3f0f6a1c7b52")  # of chunk ids: the same chunk has the same id everywhere
_SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS collections (name TEXT PRIMARY KEY, revision INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS files (
    collection TEXT NOT NULL, file TEXT NOT NULL, digest TEXT NOT NULL, PRIMARY KEY (collection, file)
);
CREATE TABLE IF NOT EXISTS documents (
    number INTEGER PRIMARY KEY AUTOINCREMENT, collection TEXT NOT NULL, source TEXT NOT NULL, file TEXT NOT NULL,
    digest TEXT NOT NULL, title TEXT NOT NULL, metadata TEXT NOT NULL, state TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS documents_source ON documents (collection, source);
CREATE INDEX IF NOT EXISTS documents_file ON documents (collection, file);
CREATE INDEX IF NOT EXISTS documents_between ON documents (state) WHERE state <> 'ready';
CREATE TABLE IF NOT EXISTS passages (
    document INTEGER NOT NULL REFERENCES documents ON DELETE CASCADE, number INTEGER NOT NULL, text TEXT NOT NULL,
    PRIMARY KEY (document, number)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS chunks (
    number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE,
    document INTEGER NOT NULL REFERENCES documents ON DELETE CASCADE, head TEXT NOT NULL, text TEXT NOT NULL, passage INTEGER
);
CREATE INDEX IF NOT EXISTS chunks_document ON chunks (document);
"""
_FIELDS = "SELECT DISTINCT key FROM documents, json_each(documents.metadata) WHERE collection = ? AND state = 'ready'"


@dataclass(frozen=True)
class Cut:
    """A document and what it was cut into."""

    document: Document
    digest: str
    chunks: tuple[Chunk, ...]
    passages: tuple[str, ...]


@dataclass(frozen=True)
class DocumentRow:
    """A document as it is listed."""

    source: str
    title: str
    chunks: int
    metadata: dict[str, Any]


@dataclass(frozen=True)
class ChunkRow:
    """A chunk as it is read: with its document and the passage around it."""

    number: int
    id: str
    source: str
    title: str
    head: str
    text: str
    passage: str
    metadata: dict[str, Any]


class Catalog:
    """Not thread-safe: each user opens its own. Methods that write raise StorageError where the disk refuses."""

    def __init__(self, folder: Path) -> None:
        self._db = open_database(folder / "catalog.db", _SCHEMA)

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()

    def meta(self, key: str) -> Any:
        """What was kept under ``key``; None for nothing."""
        row = self._db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return json.loads(row[0]) if row else None

    def keep_meta(self, key: str, value: Any) -> None:
        """Keep a value that is JSON."""
        with transaction(self._db) as db:
            db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, json.dumps(value)))

    def drop_meta(self, key: str) -> None:
        """Forget what was kept."""
        with transaction(self._db) as db:
            db.execute("DELETE FROM meta WHERE key = ?", (key,))

    def clear(self, collection: str) -> None:
        """Remove all of a collection."""
        with transaction(self._db) as db:
            db.execute("DELETE FROM documents WHERE collection = ?", (collection,))
            db.execute("DELETE FROM files WHERE collection = ?", (collection,))
            self._changed(collection)

    def revision(self, collection: str) -> int:
        """Rises whenever a collection changes."""
        row = self._db.execute("SELECT revision FROM collections WHERE name = ?", (collection,)).fetchone()
        return int(row[0]) if row else 0

    def collections(self) -> list[str]:
        """Every collection that has a document."""
        return [name for (name,) in self._db.execute("SELECT DISTINCT collection FROM documents ORDER BY collection")]

    def write(self, collection: str, cuts: Sequence[Cut]) -> list[list[str]]:
        """Enter documents as being written; returns the ids of each one's chunks."""
        ids = []
        with transaction(self._db) as db:
            for cut in cuts:
                one = cut.document
                row = (collection, one.source, one.file, cut.digest, one.title, json.dumps(dict(one.metadata)))
                made = db.execute(
                    "INSERT INTO documents (collection, source, file, digest, title, metadata, state) "
                    "VALUES (?, ?, ?, ?, ?, ?, 'writing')", row,
                )  # fmt: skip
                number = made.lastrowid
                ids.append([str(uuid.uuid5(_SPACE, f"{collection}\0{one.source}\0{cut.digest}\0{i}")) for i in range(len(cut.chunks))])
                db.executemany("INSERT INTO passages VALUES (?, ?, ?)", ((number, i, text) for i, text in enumerate(cut.passages)))
                rows = ((chunk_id, number, c.head, c.text, c.passage) for chunk_id, c in zip(ids[-1], cut.chunks, strict=True))
                db.executemany("INSERT INTO chunks (id, document, head, text, passage) VALUES (?, ?, ?, ?, ?)", rows)
        return ids

    def publish(self, collection: str) -> None:
        """What was being written counts from now on; what it replaces leaves."""
        with transaction(self._db) as db:
            # state <> 'ready' beside each state = 'writing': by these words the index of the few is found
            db.execute(
                "UPDATE documents SET state = 'leaving' WHERE state = 'ready' AND collection = ?1 AND source IN "
                "(SELECT source FROM documents WHERE state <> 'ready' AND state = 'writing' AND collection = ?1)",
                (collection,),
            )
            db.execute(
                "UPDATE documents SET state = 'ready' WHERE state <> 'ready' AND state = 'writing' AND collection = ?", (collection,)
            )
            self._changed(collection)

    def leave(self, collection: str, sources: Collection[str]) -> None:
        """These documents no longer count."""
        with transaction(self._db) as db:
            query = "UPDATE documents SET state = 'leaving' WHERE state = 'ready' AND collection = ? AND source = ?"
            db.executemany(query, ((collection, source) for source in sources))
            self._changed(collection)

    def between(self) -> dict[str, list[str]]:
        """Chunks by collection that do not count: of a killed writer, or replaced."""
        # CROSS: from the few documents to their chunks, and not through all chunks there are
        query = "SELECT collection, id FROM documents CROSS JOIN chunks ON document = documents.number WHERE state <> 'ready'"
        found: dict[str, list[str]] = {}
        for collection, chunk in self._db.execute(query):
            found.setdefault(collection, []).append(chunk)
        return found

    def forget_between(self) -> None:
        """Remove what does not count; the store has let go of it."""
        with transaction(self._db) as db:
            db.execute("DELETE FROM documents WHERE state <> 'ready'")

    def file_digest(self, collection: str, file: str) -> str | None:
        """Of the file as it was when all of it was in; None where it never was."""
        row = self._db.execute("SELECT digest FROM files WHERE collection = ? AND file = ?", (collection, file)).fetchone()
        return str(row[0]) if row else None

    def keep_file(self, collection: str, file: str, digest: str) -> None:
        """All of this file is in."""
        with transaction(self._db) as db:
            db.execute("INSERT OR REPLACE INTO files VALUES (?, ?, ?)", (collection, file, digest))

    def forget_files(self, collection: str, files: Collection[str]) -> None:
        """These are to be read again, should they come back."""
        with transaction(self._db) as db:
            db.executemany("DELETE FROM files WHERE collection = ? AND file = ?", ((collection, file) for file in files))

    def sources_of(self, collection: str, file: str) -> dict[str, str]:
        """The documents of a file, and their digests."""
        query = "SELECT source, digest FROM documents WHERE state = 'ready' AND collection = ? AND file = ?"
        return dict(self._db.execute(query, (collection, file)).fetchall())

    def files(self, collection: str) -> set[str]:
        """Files that documents come from."""
        query = "SELECT DISTINCT file FROM documents WHERE state = 'ready' AND collection = ?"
        return {file for (file,) in self._db.execute(query, (collection,))}

    def documents(self, collection: str) -> Iterator[DocumentRow]:
        """Every document that counts, in the order of its name."""
        query = (
            "SELECT source, title, (SELECT count(*) FROM chunks WHERE document = documents.number), metadata FROM documents "
            "WHERE state = 'ready' AND collection = ? ORDER BY source"
        )
        for source, title, chunks, metadata in self._db.execute(query, (collection,)):
            yield DocumentRow(source, title, chunks, json.loads(metadata))

    def counts(self, collection: str) -> tuple[int, int]:
        """Documents and chunks that count."""
        query = (
            "SELECT count(DISTINCT documents.number), count(chunks.number) FROM documents LEFT JOIN chunks ON document = documents.number "
            "WHERE state = 'ready' AND collection = ?"
        )
        documents, chunks = self._db.execute(query, (collection,)).fetchone()
        return documents, chunks

    def fields(self, collection: str) -> set[str]:
        """Metadata that some document has."""
        return {key for (key,) in self._db.execute(_FIELDS, (collection,))}

    def searched(self, collection: str) -> Iterator[tuple[int, str]]:
        """Number and searched text of every chunk that counts, in the order of their numbers."""
        query = (
            "SELECT chunks.number, head, text FROM chunks JOIN documents ON document = documents.number "
            "WHERE state = 'ready' AND collection = ? ORDER BY chunks.number"
        )
        for number, head, text in self._db.execute(query, (collection,)):
            yield number, Chunk(head, text).searched

    def sample(self, count: int) -> list[tuple[str, str, str]]:
        """Collection, id and searched text of some chunks that count, the same ones each time: ids have no order of their own."""
        query = (
            "SELECT collection, chunks.id, head, text FROM chunks JOIN documents ON document = documents.number "
            "WHERE state = 'ready' ORDER BY chunks.id LIMIT ?"
        )
        return [(name, one, Chunk(head, text).searched) for name, one, head, text in self._db.execute(query, (count,))]

    def matching(self, collection: str, where: Filter | None) -> list[int]:
        """Numbers of the chunks whose documents match, ascending."""
        condition, parameters = sqlite_condition(where, "metadata")
        query = (
            "SELECT chunks.number FROM chunks JOIN documents ON document = documents.number "  # noqa: S608 - words of our own
            f"WHERE state = 'ready' AND collection = ? AND {condition} ORDER BY chunks.number"
        )
        return [number for (number,) in self._db.execute(query, (collection, *parameters))]

    def chunks(self, collection: str, *, ids: Sequence[str] = (), numbers: Sequence[int] = ()) -> dict[str, ChunkRow]:
        """Chunks by id, as far as they count."""
        column, wanted = ("chunks.id", list(ids)) if ids else ("chunks.number", list(numbers))
        query = (
            "SELECT chunks.number, chunks.id, source, title, head, chunks.text, coalesce(passages.text, chunks.text), metadata "  # noqa: S608
            "FROM chunks JOIN documents ON chunks.document = documents.number "
            "LEFT JOIN passages ON passages.document = documents.number AND passages.number = passage "
            f"WHERE state = 'ready' AND collection = ? AND {column} IN (SELECT value FROM json_each(?))"
        )
        rows = self._db.execute(query, (collection, json.dumps(wanted)))
        found = {}
        for number, one, source, title, head, text, passage, metadata in rows:
            found[one] = ChunkRow(number, one, source, title, head, text, passage, json.loads(metadata))
        return found

    def _changed(self, collection: str) -> None:
        self._db.execute("INSERT INTO collections VALUES (?, 1) ON CONFLICT DO UPDATE SET revision = revision + 1", (collection,))
