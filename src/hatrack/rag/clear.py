"""Emptying collections: the way to another embedder, another store, or out."""

from __future__ import annotations

from collections.abc import Sequence

from hatrack.rag.knowledge import KnowledgeBase

__all__ = ["clear_collections"]


def clear_collections(kb: KnowledgeBase, names: Sequence[str]) -> None:
    """Remove all documents of collections; with the last one, embedder and store may be others.

    The store goes first: killed in between, documents without vectors are left, and clearing again ends it.

    Raises:
        KnowledgeError: another process is writing. StoreUnreachable: the store's server does not answer.
    """
    with kb.alone():
        for name in names:
            kb.store.clear(name)
            kb.catalog.clear(name)
        if not kb.catalog.collections():
            kb.forget()
