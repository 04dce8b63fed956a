"""What an adapter would look for: its collections, filter and k, and the question as it rewrites it."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from hatrack.answering.assistant import Assistant
from hatrack.answering.rewrite import ANSWER_TOKENS, Rewritten
from hatrack.cli.screen import progress_console
from hatrack.core.aside import aside
from hatrack.core.chat import Message
from hatrack.core.config_knowledge import RagSettings
from hatrack.rag.retrieve import Query

__all__ = ["as_adapter"]


def as_adapter(project: Path, adapter: str, query: Query) -> tuple[Query, Rewritten | None]:
    """The query as ``hatrack ask ADAPTER --kb`` would search; None where nothing is rewritten, and no model is loaded.

    Raises:
        AdapterNotFound: no such adapter. Others: see ``Assistant.generate``.
    """
    console = progress_console()
    assistant = Assistant.open(project, report=aside(console))
    assistant.check_name(adapter)
    name = adapter.partition("@")[0]
    rag = assistant.knowledge.settings(name) or RagSettings()
    written = assistant.knowledge.rewrite(
        [Message("user", query.text)], name, lambda asked: assistant.generate(asked, adapter, max_new_tokens=ANSWER_TOKENS).text
    )
    conditions = [dict(one) for one in (rag.filter, query.where) if one]
    return dataclasses.replace(
        query,
        text=(written.query if written else "") or query.text,
        collections=query.collections or rag.collections,
        where={"all": conditions} if conditions else {},
        k=query.k or rag.k,
    ), written
