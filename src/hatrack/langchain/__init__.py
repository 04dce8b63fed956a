"""A project as LangChain's parts: chat model, embeddings, retriever, cache, and a tool that asks the right adapter."""

from __future__ import annotations

from hatrack.core.extras import require

__all__ = ["HatrackCache", "HatrackChat", "HatrackEmbeddings", "HatrackRetriever", "RouterTool"]

require("langchain_core", extra="langchain", reason="LangChain's parts")

from hatrack.langchain.cache import HatrackCache  # noqa: E402 - only after it is known that they can be made
from hatrack.langchain.chat import HatrackChat  # noqa: E402
from hatrack.langchain.embeddings import HatrackEmbeddings  # noqa: E402
from hatrack.langchain.retriever import HatrackRetriever  # noqa: E402
from hatrack.langchain.router import RouterTool  # noqa: E402
