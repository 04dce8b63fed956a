"""A knowledge base: catalog, store and embedder of a project, opened together and checked to belong together.

.hatrack/kb/catalog.db    documents and chunks
.hatrack/kb/vectors.db    vectors, where the store is FAISS
.hatrack/kb/words/        BM25 of each collection
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property

from filelock import FileLock, Timeout

from hatrack.core.config_knowledge import KnowledgeSettings
from hatrack.core.digest import short
from hatrack.core.errors import EmbedderChanged, KnowledgeError
from hatrack.core.names import closest
from hatrack.core.project import Project
from hatrack.models.embedders.base import Embedder, Vectors, open_embedder
from hatrack.models.rerankers.base import Reranker, open_reranker
from hatrack.rag.catalog import Catalog
from hatrack.rag.stores.base import Store, open_store, parse_url

__all__ = ["AGREEMENT", "KnowledgeBase"]

AGREEMENT = 0.98  # least cosine between the vectors of two precisions of one embedder that may share an index
_SAMPLE = 32  # chunks that it is measured on
_EMBEDDER, _STORE, _AGREED = "embedder", "store", "agreed"


class KnowledgeBase:
    """What adding and searching share. Not thread-safe; several may be open on one project."""

    def __init__(self, project: Project, settings: KnowledgeSettings) -> None:
        self.project = project
        self.settings = settings
        self.folder = project.knowledge
        self.catalog = Catalog(self.folder)
        self._opened_store: Store | None = None

    @cached_property
    def embedder(self) -> Embedder:
        """What makes vectors, as the config says.

        Raises:
            ConfigError, ModelError: there is none such.
        """
        one = self.settings
        return open_embedder(
            one.embedder,
            self.project.base_spec,
            query_prefix=one.query_prefix,
            passage_prefix=one.passage_prefix,
            precision=one.precision,
        )

    @cached_property
    def reranker(self) -> Reranker | None:
        """What looks at passages again; None where the config names nothing.

        Raises:
            ConfigError, ModelError: there is none such.
        """
        named = self.settings.search.reranker
        return None if named is None else open_reranker(named, self.project.base_spec)

    @property
    def store(self) -> Store:
        """Where vectors lie.

        Raises:
            ConfigError: no such store. StoreUnreachable: its server does not answer.
        """
        if self._opened_store is None:
            self._opened_store = open_store(self.settings.store, self.project.root)
        return self._opened_store

    def close(self) -> None:
        """Let go of files and connections."""
        self.catalog.close()
        if self._opened_store is not None:
            self._opened_store.close()

    def known(self, collection: str) -> str:
        """The name, if the config has it.

        Raises:
            KnowledgeError: it has not; with the nearest name.
        """
        names = self.settings.collections
        if collection in names:
            return collection
        near = closest(collection, names, 1)
        raise KnowledgeError(
            f"there is no collection called {collection!r}",
            given=collection,
            allowed=", ".join(names),
            fix=f"did you mean {near[0]}?" if near else "add it to knowledge.collections in hatrack.yaml",
        )

    @contextmanager
    def alone(self) -> Iterator[None]:
        """The only writer.

        Raises:
            KnowledgeError: another process is writing.
        """
        lock = FileLock(self.folder / "writing.lock", timeout=0)
        try:
            lock.acquire()
        except Timeout as error:
            raise KnowledgeError(
                "another process is changing this knowledge base", given=str(self.folder), fix="wait until it has finished"
            ) from error
        try:
            yield
        finally:
            lock.release()

    @contextmanager
    def writing(self) -> Iterator[None]:
        """As ``alone``; what a killed writer left between two states is taken back first.

        Raises:
            KnowledgeError: another process is writing. EmbedderChanged, StoreUnreachable: as they say.
        """
        with self.alone():
            self.check()
            self.settle()
            yield

    def settle(self) -> None:
        """Take what does not count out of the store, then out of the catalog. The caller is the only writer."""
        left = self.catalog.between()
        for collection, chunks in left.items():
            self.store.remove(collection, chunks)
        if left:
            self.catalog.forget_between()

    def check(self) -> None:
        """Refuse an embedder or a store other than the one that the vectors are from; the first one is noted.

        The same embedder in another precision may be used where its vectors agree with those that are there.

        Raises:
            EmbedderChanged: another embedder. KnowledgeError: another store.
        """
        url = parse_url(self.settings.store, self.project.root).shown
        again = "hatrack kb clear, then hatrack kb add"
        known = self.catalog.meta(_EMBEDDER)
        if known is not None and known["fingerprint"] != self.embedder.fingerprint:
            if known.get("family", known["fingerprint"]) != self.embedder.family:
                raise EmbedderChanged(
                    "the vectors of this knowledge base were made by another embedder",
                    given=f"{self.settings.embedder} ({short(self.embedder.fingerprint)})",
                    allowed=f"{known['spec']} ({short(known['fingerprint'])})",
                    fix=f"set knowledge.embedder back, or make the vectors anew: {again}",
                )
            least = self._agreement()
            if least < AGREEMENT:
                raise EmbedderChanged(
                    "the vectors of this knowledge base were made in another precision, and this one does not agree with it",
                    given=f"precision {self.settings.precision}: a cosine of {least:.4f} to the vector that is there, at worst",
                    allowed=f"{AGREEMENT} or more",
                    fix=f"set knowledge.precision back, or make the vectors anew: {again}",
                )
        if known is not None and self.catalog.meta(_STORE) != url:
            raise KnowledgeError(
                "the vectors of this knowledge base lie in another store",
                given=url,
                allowed=str(self.catalog.meta(_STORE)),
                fix=f"set knowledge.store back, or make the vectors anew: {again}",
            )

    def _agreement(self) -> float:
        """The least cosine between vectors that are there and those the embedder makes now; measured once for each embedder."""
        measured = self.catalog.meta(_AGREED) or {}
        fingerprint = self.embedder.fingerprint
        if fingerprint not in measured:
            sample = self.catalog.sample(_SAMPLE)
            there: dict[str, Vectors] = {}
            for name in {collection for collection, _, _ in sample}:
                there |= self.store.vectors(name, [chunk for collection, chunk, _ in sample if collection == name])
            kept = [(there[chunk], text) for _, chunk, text in sample if chunk in there]
            made = self.embedder.passages([text for _, text in kept])
            cosines = [float(old @ new) if len(old) == len(new) else -1.0 for (old, _), new in zip(kept, made, strict=True)]
            if not cosines:
                return 1.0  # nothing is there yet
            measured[fingerprint] = min(cosines)
            self.catalog.keep_meta(_AGREED, measured)
        return float(measured[fingerprint])

    def note(self) -> None:
        """Remember which embedder and store the vectors are from; the caller has checked."""
        if self.catalog.meta(_EMBEDDER) is None:
            self.catalog.keep_meta(_STORE, parse_url(self.settings.store, self.project.root).shown)
            self.catalog.keep_meta(_EMBEDDER, {
                "spec": self.settings.embedder, "fingerprint": self.embedder.fingerprint, "family": self.embedder.family,
            })  # fmt: skip

    def forget(self) -> None:
        """Nothing is here any more: the next vectors may be from any embedder, in any store."""
        self.catalog.drop_meta(_EMBEDDER)
        self.catalog.drop_meta(_STORE)
        self.catalog.drop_meta(_AGREED)
