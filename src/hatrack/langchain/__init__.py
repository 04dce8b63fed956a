"""A project as LangChain's parts: chat model, embeddings, retriever, cache, and a tool that asks the right adapter."""

from __future__ import annotations

from hatrack.core.extras import require

__all__ = ["HatrackCache", "HatrackChat", "HatrackEmbeddings", "HatrackRetriever", "RouterTool"]

require("langchain_core", extra="langchain", reason="LangChain's parts")

from hatrack.langchain.cache import HatrackCache
from hatrack.langchain.chat import HatrackChat
from hatrack.langchain.embeddings import HatrackEmbeddings
from hatrack.langchain.retriever import HatrackRetriever
from hatrack.langchain.router import RouterTool
