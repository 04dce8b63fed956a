"""A project as tools of the Model Context Protocol: for agents and desktop assistants that speak it.

ask        a question to an adapter, from documents where that is wanted; with sources and checked citations
classify   texts to labels
search     passages of the knowledge base
adapters   who there is to ask
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from hatrack.answering.assistant import Assistant
from hatrack.answering.grounding import KnowledgeWish
from hatrack.answering.reply import ask_grounded
from hatrack.core.errors import HatrackError
from hatrack.core.extras import require
from hatrack.core.names import BASE
from hatrack.rag.metadata import shown_metadata
from hatrack.rag.retrieve import Query

__all__ = ["build_tools"]

P = ParamSpec("P")
R = TypeVar("R")
_ABOUT = "Adapters of one base model: each knows one domain. `adapters` lists them; `search` and `ask` read the project's documents."


def build_tools(assistant: Assistant, tenant: str | None = None) -> Any:
    """An ``MCPServer`` that answers from one project, one call at a time.

    Args:
        tenant: whose collections may be read, besides everybody's; None: all.

    Raises:
        MissingExtra: the package ``mcp`` is not installed.
    """
    server = require("mcp.server", extra="mcp", reason="the Model Context Protocol").MCPServer("hatrack", instructions=_ABOUT)
    refused = require("mcp.server.mcpserver.exceptions", extra="mcp", reason="the Model Context Protocol").ToolError
    lock = threading.Lock()

    def tool(run: Callable[P, R]) -> None:
        """Offer ``run``; what it refuses is told to the model as it would be to a person."""

        @functools.wraps(run)
        def told(*args: P.args, **kwargs: P.kwargs) -> R:
            try:
                with lock:
                    return run(*args, **kwargs)
            except HatrackError as error:
                raise refused(str(error)) from error

        server.tool()(told)

    @tool
    def adapters() -> list[dict[str, Any]]:
        """List the adapters that can be asked, and what each is for."""
        names = assistant.registry.names()
        tasks = {name: one.task for name, one in assistant.config.adapters.items()}
        return [{"name": BASE, "task": "the base model"}, *({"name": name, "task": tasks.get(name, "")} for name in names)]

    @tool
    def search(
        query: str, k: int = 5, filter: dict[str, Any] | None = None, as_of: str | None = None, collections: list[str] | None = None
    ) -> list[dict[str, Any]]:
        """Find passages of documents. ``filter`` is on metadata, as {"country": "FR"}; ``as_of`` a day, as 2024-01-31."""
        readable = assistant.knowledge.readable(collections or (), tenant)
        found = assistant.knowledge.search(Query(query, readable, filter or {}, as_of, None, k))
        return [
            {"source": one.source, "title": one.title, "text": one.text, "similarity": round(one.similarity, 4)}
            | {"metadata": shown_metadata(one.metadata)}
            for one in found
        ]

    @tool
    def ask(
        question: str,
        adapter: str = BASE,
        documents: bool | None = None,
        filter: dict[str, Any] | None = None,
        as_of: str | None = None,
        max_tokens: int = 256,
    ) -> dict[str, Any]:
        """Ask an adapter. ``documents`` true answers from documents, with sources; unset, as the adapter is configured."""
        asked = KnowledgeWish((), filter or {}, as_of)
        wish = assistant.knowledge.wanted(adapter.partition("@")[0], asked if documents or asked != KnowledgeWish() else documents)
        if wish is None:
            return {"answer": assistant.generate(question, adapter, max_new_tokens=max_tokens).text}
        grounded, text = ask_grounded(assistant, question, adapter, wish, tenant=tenant, max_new_tokens=max_tokens)
        return {"answer": text, **grounded.told(text)}

    @tool
    def classify(texts: list[str], adapter: str) -> list[dict[str, Any]]:
        """Label texts with a classifying adapter: each gets its likeliest label and how likely that is."""
        return [{"label": one.label, "probability": one.probability} for one in assistant.classify(texts, adapter)]

    return server
