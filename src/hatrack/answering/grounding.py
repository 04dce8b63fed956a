"""From a conversation to one that carries its sources: find, keep what is near enough and fits, frame, and check the answer.

messages ─► query ─► passages ─► threshold ─┬─ none is near enough ─► "not in the sources", and no model is asked
                                             └─ budget ─► frame ─► model ─► citations checked
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hatrack.answering.rewrite import Rewritten, rewritten
from hatrack.answering.route import routed_text
from hatrack.core.chat import Message
from hatrack.core.config import ProjectConfig
from hatrack.core.config_knowledge import RagSettings
from hatrack.core.digest import sha256_json
from hatrack.core.errors import KnowledgeError, RequestError
from hatrack.core.project import Project
from hatrack.rag.cite import CheckedAnswer, check_answer
from hatrack.rag.frame import cost_of_frame, fitting, framed
from hatrack.rag.knowledge import KnowledgeBase
from hatrack.rag.metadata import shown_metadata
from hatrack.rag.records import Passage
from hatrack.rag.retrieve import Query, Retriever

__all__ = ["Grounded", "Grounder", "KnowledgeWish"]


@dataclass(frozen=True)
class KnowledgeWish:
    """What a request asks of knowledge; None: as the adapter's ``rag`` says."""

    collections: tuple[str, ...] = ()
    where: Mapping[str, Any] = field(default_factory=dict)
    as_of: str | None = None
    k: int | None = None
    threshold: float | None = None


@dataclass(frozen=True)
class Grounded:
    """A conversation with its sources.

    Attributes:
        messages: what the model is to answer.
        passages: the sources, the first one is [1].
        texts: what of each source the model sees.
        answer: what is said without asking a model, where no passage is near enough; else None.
        version: of all that was retrieved, for caches.
        rewritten: the query that the adapter wrote; None where it was not asked to.
    """

    messages: tuple[Message, ...]
    passages: tuple[Passage, ...]
    texts: tuple[str, ...]
    answer: str | None
    version: str
    rewritten: Rewritten | None = None

    def check(self, answer: str) -> CheckedAnswer:
        """Whether an answer rests on these sources."""
        return check_answer(answer, self.texts)

    def told(self, answer: str) -> dict[str, Any]:
        """Sources and checks of a finished answer, for programs."""
        asked = {} if self.rewritten is None else {"query": self.rewritten.query or None, "not_rewritten": self.rewritten.reason or None}
        if self.answer is not None:
            return {"found": False, "sources": [], "citations": [], "missing": [], "unsupported": [], **asked}
        checked = self.check(answer)
        numbered = list(enumerate(self.passages, 1))
        sources = [
            {
                "number": number,
                "source": one.source,
                "title": one.title,
                "collection": one.collection,
                "text": text,
                "similarity": round(one.similarity, 4),
                "metadata": {name: value for name, value in shown_metadata(one.metadata).items() if name != "source"},
            }
            for (number, one), text in zip(numbered, self.texts, strict=True)
        ]
        citations = [{"sentence": one.text, "cited": list(one.cited), "supported_by": list(one.supported)} for one in checked.sentences]
        return {
            "found": True,
            "sources": sources,
            "citations": citations,
            "missing": list(checked.missing),
            "unsupported": list(checked.unsupported),
            **asked,
        }


class Grounder:
    """Finds the sources of answers in one project. Thread-safe; the embedder is loaded when the first question is asked.

    Attributes:
        count: told of every rewritten question: whose, and ``used`` or why not, see ``Rewritten``.
    """

    def __init__(self, project: Project, config: ProjectConfig) -> None:
        self._project, self._config = project, config
        self._lock = threading.Lock()  # one embedder, one connection
        self._opened: tuple[KnowledgeBase, Retriever] | None = None
        self.count: Callable[[str, str], None] = lambda adapter, outcome: None

    def settings(self, adapter: str) -> RagSettings | None:
        """What an adapter's config says of knowledge; None where it says nothing."""
        known = self._config.adapters.get(adapter)
        return known.rag if known else None

    def wanted(self, adapter: str, wish: KnowledgeWish | bool | None) -> KnowledgeWish | None:
        """What is looked for in a request: what it wishes, else what its adapter does by itself; None is nothing."""
        if isinstance(wish, KnowledgeWish):
            return wish
        rag = self.settings(adapter)
        on = wish if wish is not None else rag is not None and rag.enabled
        return KnowledgeWish() if on else None

    def ground(
        self,
        messages: Sequence[Message],
        adapter: str,
        wish: KnowledgeWish,
        *,
        tenant: str | None,
        count: Callable[[str], int],
        room: int,
        system: str = "",
        ask: Callable[[Sequence[Message]], str] | None = None,
    ) -> Grounded:
        """Find the sources of an answer.

        Args:
            tenant: whose collections may be read, besides everybody's; None: all.
            count: tokens of a text, as the model counts them.
            room: tokens that the prompt may still take.
            system: the adapter's own prompt.
            ask: has the adapter answer a conversation, for its ``rag.rewrite``; None: nothing is rewritten.

        Raises:
            RequestError: there is no room for any of them.
            KnowledgeError: a collection or a filter that there is not, or not for this tenant.
            StoreUnreachable, ProviderError: a server does not answer.
        """
        rag = self.settings(adapter) or RagSettings()
        collections = self.readable(wish.collections or rag.collections, tenant)
        conditions = [dict(one) for one in (rag.filter, wish.where) if one]
        where = {"all": conditions} if conditions else {}
        written = self.rewrite(messages, adapter, ask)
        text = (written.query if written else "") or routed_text(messages)
        found = self.search(Query(text, collections, where, wish.as_of, None, wish.k or rag.k))
        least = rag.threshold if wish.threshold is None else wish.threshold
        near = [passage for passage in found if passage.similarity >= least]
        kept = fitting(near, min(rag.tokens, room - cost_of_frame(count)), count)
        if near and not kept:
            raise RequestError(
                "there is no room for a source in the prompt",
                given=f"{max(0, room)} tokens left",
                fix="shorten the conversation or the answer",
            )
        passages, texts = tuple(passage for passage, _ in kept), tuple(text for _, text in kept)
        version = sha256_json([[one.id for one in passages], list(texts)])
        if not kept:
            return Grounded(tuple(messages), (), (), rag.not_found, version, written)
        return Grounded(framed(messages, texts, system), passages, texts, None, version, written)

    def rewrite(self, messages: Sequence[Message], adapter: str, ask: Callable[[Sequence[Message]], str] | None) -> Rewritten | None:
        """The question as the adapter would look for it; None where its ``rag`` does not say so."""
        rag = self.settings(adapter)
        if ask is None or rag is None or not rag.rewrite:
            return None
        written = rewritten(messages, ask)
        self.count(adapter, written.reason or "used")
        return written

    def close(self) -> None:
        """Let go of files and connections."""
        with self._lock:
            if self._opened is not None:
                self._opened[0].close()
                self._opened = None

    def search(self, query: Query) -> list[Passage]:
        """The passages for a question, see ``Retriever.search``."""
        with self._lock:
            return self._retriever().search(query)

    def readable(self, asked: Sequence[str], tenant: str | None) -> tuple[str, ...]:
        """The collections that are asked for, or all that the tenant may read.

        Raises:
            KnowledgeError: one of them is not there, or not for this tenant.
        """
        may = self._config.knowledge.readable(tenant)
        refused = [name for name in asked if name not in may]
        if refused:  # a collection of another tenant is not there, as far as this one is told
            raise KnowledgeError(
                f"there is no collection called {refused[0]!r}",
                given=", ".join(asked),
                allowed=", ".join(may) or "none",
                fix="name one of these",
            )
        if not may:
            raise KnowledgeError(
                "there is no collection that may be read", given="a request for knowledge", fix="see knowledge.collections"
            )
        return tuple(asked) or may

    def _retriever(self) -> Retriever:
        if self._opened is None:
            kb = KnowledgeBase(self._project, self._config.knowledge)
            try:
                self._opened = kb, Retriever(kb)
            except BaseException:
                kb.close()
                raise
        return self._opened[1]
