"""Searches of the knowledge base from the page: what makes vectors stays loaded between two of them."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING

from hatrack.core.config_knowledge import KnowledgeSettings
from hatrack.core.project import Project

if TYPE_CHECKING:
    from hatrack.rag.knowledge import KnowledgeBase
    from hatrack.rag.records import Passage
    from hatrack.rag.retrieve import Retriever

__all__ = ["Searching"]


class Searching:
    """A knowledge base that stays open, until the settings change. Thread-safe, one search at a time."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._lock = threading.Lock()
        self._opened: tuple[KnowledgeSettings, KnowledgeBase, Retriever] | None = None

    def search(self, settings: KnowledgeSettings, question: str, collections: Sequence[str]) -> list[Passage]:
        """The best passages, with their ranks by meaning and by words.

        Raises:
            HatrackError: the embedder or the store cannot be had; see ``Retriever.search``.
        """
        with self._lock:
            from hatrack.rag.knowledge import KnowledgeBase  # with what makes vectors: a studio without documents needs none
            from hatrack.rag.retrieve import Query, Retriever

            if self._opened is None or self._opened[0] != settings:
                self._close()
                kb = KnowledgeBase(self._project, settings)
                self._opened = settings, kb, Retriever(kb)
            return self._opened[2].search(Query(question, tuple(collections)))

    def close(self) -> None:
        """Let go of files and connections."""
        with self._lock:
            self._close()

    def _close(self) -> None:
        if self._opened is not None:
            self._opened[1].close()
            self._opened = None
