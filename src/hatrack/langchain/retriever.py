"""A project's knowledge base as LangChain's retriever."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

from langchain_core.callbacks import CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever
from pydantic import Field

from hatrack.answering.grounding import Grounder
from hatrack.core.config_file import read_config
from hatrack.core.config_knowledge import SearchMode
from hatrack.core.project import Project
from hatrack.rag.metadata import shown_metadata
from hatrack.rag.retrieve import Query

__all__ = ["HatrackRetriever"]


class HatrackRetriever(BaseRetriever):
    """Finds passages as ``hatrack kb search`` does; ``k``, ``filter`` and ``as_of`` can also be given with a call."""

    project: str = "."
    k: int = 5
    collections: tuple[str, ...] = ()
    filter: dict[str, Any] = Field(default_factory=dict)
    as_of: str | None = None
    mode: SearchMode | None = None
    tenant: str | None = None

    @cached_property
    def _grounder(self) -> Grounder:
        place = Project(Path(self.project).absolute())
        return Grounder(place, read_config(place.root))

    def _get_relevant_documents(
        self,
        query: str,
        *,
        run_manager: CallbackManagerForRetrieverRun,
        k: int | None = None,
        filter: dict[str, Any] | None = None,
        as_of: str | None = None,
    ) -> list[Document]:
        collections = self._grounder.readable(self.collections, self.tenant)
        conditions = [one for one in (self.filter, filter) if one]  # a call can ask for less, not for more
        where = {"all": conditions} if conditions else {}
        found = self._grounder.search(Query(query, collections, where, as_of or self.as_of, self.mode, k or self.k))
        return [
            Document(
                id=one.id,
                page_content=one.text,
                metadata={**shown_metadata(one.metadata), "source": one.source, "title": one.title, "similarity": one.similarity},
            )
            for one in found
        ]
