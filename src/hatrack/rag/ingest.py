"""Documents in: only what changed is embedded, what is gone leaves, what was acknowledged stays.

    files ─► documents ─► personal data ─► chunks ─► vectors ─► catalog: writing ─► store ─► catalog: ready
              unchanged ones stop here                                                        acknowledged

A few hundred chunks travel together; between two such batches a kill costs nothing, and the same command goes on there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from hatrack.core.digest import sha256_file, sha256_json
from hatrack.core.errors import DataFileError
from hatrack.rag.catalog import Cut
from hatrack.rag.chunk import Chunker
from hatrack.rag.intake import LeftOut, SourceFile, documents_of, files_below, nothing_to_read
from hatrack.rag.knowledge import KnowledgeBase
from hatrack.rag.metadata import clean_metadata
from hatrack.rag.records import Document, Part
from hatrack.rag.stores.base import Point
from hatrack.safety.redact import Redactor

__all__ = ["Ingest", "IngestReport"]

_BATCH = 256  # chunks that are embedded and committed together
_RECIPE = 1  # rises when the same settings would cut or clean another way
Progress = Callable[[int, int, str], None]


@dataclass
class IngestReport:
    """What became of the documents.

    Attributes:
        personal: personal data found, by type.
        left_out: what could not be taken in; an older version of it stays.
    """

    added: int = 0
    changed: int = 0
    unchanged: int = 0
    removed: int = 0
    chunks: int = 0
    personal: Counter[str] = field(default_factory=Counter)
    left_out: list[LeftOut] = field(default_factory=list)


class Ingest:
    """Adds to one collection.

    Args:
        metadata: of each document; what it says itself goes first.
        progress: called with bytes of files done, bytes of all files, and the file at hand.

    Raises:
        ConfigError: the rules for chunks or personal data cannot be used.
        KnowledgeError: no such collection, or metadata that cannot be kept.
    """

    def __init__(
        self,
        kb: KnowledgeBase,
        collection: str,
        metadata: Mapping[str, Any] | None = None,
        progress: Progress = lambda done, all_, name: None,
    ) -> None:
        settings = kb.settings
        self._kb, self._catalog = kb, kb.catalog
        self._collection = kb.known(collection)
        self._metadata = {**(settings.collections[collection].metadata if collection in settings.collections else {}), **(metadata or {})}
        try:
            clean_metadata(self._metadata)
        except ValueError as error:
            raise DataFileError("these metadata cannot be kept", given=str(error), fix="correct them") from error
        self._progress = progress
        self._redactor = Redactor(settings.pii)
        self._chunker = Chunker(settings.chunks, kb.embedder.tokenizer, kb.embedder.max_tokens)
        chunks, pii = settings.chunks.model_dump(mode="json"), settings.pii.model_dump(mode="json")
        self._recipe = sha256_json([_RECIPE, chunks, pii, kb.embedder.family, self._metadata])
        self._limit = int(settings.max_document_mb * 1e6)
        self.report = IngestReport()

    def add(self, path: Path) -> IngestReport:
        """Bring the collection to what the file, or the folder, holds now.

        Raises:
            DataFileError: there is nothing that can be read.
            KnowledgeError: another process is writing, or embedder or store are others than before.
            StorageError, StoreUnreachable, ProviderError: what is acknowledged stays; the same command goes on.
        """
        path, root = path.absolute(), self._kb.project.root
        files = files_below(path, root)
        with self._kb.writing():
            below = {file for file in self._catalog.files(self._collection) if (root / file).is_relative_to(path)}
            if not files and not below:
                raise nothing_to_read(path)
            total, done = sum(file.path.stat().st_size for file in files), 0
            for file in files:
                self._progress(done, total, file.name)
                self._file(file)
                done += file.path.stat().st_size
            gone = below - {file.name for file in files}
            self._leave([source for file in sorted(gone) for source in self._catalog.sources_of(self._collection, file)])
            self._catalog.forget_files(self._collection, gone)
            self._progress(total, total, "")
        return self.report

    def remove(self, sources: Sequence[str]) -> int:
        """Take documents out by the names that ``documents`` gives; returns how many there were."""
        known = {row.source: row.source.partition("#")[0] for row in self._catalog.documents(self._collection)}
        wanted = [source for source, file in known.items() if source in sources or file in sources]
        with self._kb.writing():
            self._leave(wanted)
            self._catalog.forget_files(self._collection, {known[source] for source in wanted})
        return len(wanted)

    def _file(self, file: SourceFile) -> None:
        known = self._catalog.sources_of(self._collection, file.name)
        digest = "" if file.fault else sha256_json([self._recipe, file.reader, sha256_file(file.path)])
        if digest and self._catalog.file_digest(self._collection, file.name) == digest:
            self.report.unchanged += len(known)
            return
        seen: set[str] = set()
        faults = len(self.report.left_out)
        for batch in self._batches(documents_of(file, self._metadata, self._limit), known, seen):
            self._commit(batch, known)
        if len(self.report.left_out) == faults:  # else a row that cannot be read today would be lost
            self._leave([source for source in known if source not in seen])
            self._catalog.keep_file(self._collection, file.name, digest)

    def _batches(self, found: Iterator[Document | LeftOut], known: Mapping[str, str], seen: set[str]) -> Iterator[list[Cut]]:
        """What is new or has changed, cut, a few hundred chunks at a time."""
        batch: list[Cut] = []
        for one in found:
            if isinstance(one, LeftOut):
                self.report.left_out.append(one)
                continue
            if one.source in seen:
                self.report.left_out.append(LeftOut(one.source, "a document of this id was already in the file"))
                continue
            seen.add(one.source)
            digest = sha256_json([self._recipe, one.title, [[p.heading, p.level, p.text] for p in one.parts], dict(one.metadata)])
            if known.get(one.source) == digest:
                self.report.unchanged += 1
                continue
            document = self._redacted(one)
            if document is None:
                seen.discard(one.source)
                continue
            cut = self._chunker.cut(document)
            batch.append(Cut(document, digest, *cut))
            if sum(len(item.chunks) for item in batch) >= _BATCH:
                yield batch
                batch = []
        if batch:
            yield batch

    def _redacted(self, one: Document) -> Document | None:
        """None where personal data keep a document out."""
        parts = [text for part in one.parts for text in (part.heading, part.text)]
        clean = self._redactor.apply([one.title, *parts])
        self.report.personal.update(finding.type for some in clean.findings for finding in some)
        if clean.dropped:
            self.report.left_out.append(LeftOut(one.source, "it holds personal data (knowledge.pii.mode: drop)"))
            return None
        title, *texts = clean.texts
        pairs = zip(one.parts, texts[::2], texts[1::2], strict=True)
        return replace(one, title=title, parts=tuple(Part(heading, part.level, text) for part, heading, text in pairs))

    def _commit(self, batch: list[Cut], known: Mapping[str, str]) -> None:
        """Acknowledge a batch, chunk by chunk for the embedder and the store, all at once for the catalog."""
        self._kb.note()
        ids = self._catalog.write(self._collection, batch)
        pairs = [
            (one, cut.document, chunk) for cut, some in zip(batch, ids, strict=True) for one, chunk in zip(some, cut.chunks, strict=True)
        ]
        for start in range(0, len(pairs), _BATCH):
            some = pairs[start : start + _BATCH]
            vectors = self._kb.embedder.passages([chunk.searched for _, _, chunk in some])
            points = [Point(one, vector, document.metadata) for (one, document, _), vector in zip(some, vectors, strict=True)]
            self._kb.store.put(self._collection, points)
        self._catalog.publish(self._collection)
        self._kb.settle()
        changed = sum(cut.document.source in known for cut in batch)
        self.report.changed += changed
        self.report.added += len(batch) - changed
        self.report.chunks += len(pairs)

    def _leave(self, sources: Sequence[str]) -> None:
        if sources:
            self._catalog.leave(self._collection, sources)
            self._kb.settle()
            self.report.removed += len(sources)
