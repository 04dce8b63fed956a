"""Knowledge bases for tests: a project whose embedder needs no model, and documents in it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from hatrack.core.config_file import read_config
from hatrack.core.project import Project
from hatrack.rag.ingest import Ingest, IngestReport
from hatrack.rag.knowledge import KnowledgeBase
from hatrack.rag.retrieve import Query, Retriever

__all__ = ["FACTS", "add", "found", "knowledge_project", "open_kb", "write_rows"]

FACTS = [
    {"id": "refund", "title": "Refunds", "text": "Money goes back to the card within thirty days.", "country": "US"},
    {"id": "card", "title": "Lost cards", "text": "A lost card is replaced for five euros.", "country": "FR", "year": 2021},
    {"id": "vat-old", "title": "TVA", "text": "The rate of VAT is 19.6 percent.", "country": "FR", "valid_to": "2013-12-31"},
    {"id": "vat", "title": "TVA", "text": "The rate of VAT is 20 percent.", "country": "FR", "valid_from": "2014-01-01"},
    {"id": "hours", "title": "Hours", "text": "The desk opens at nine and closes at five.", "country": "IN", "year": 2023},
]


def knowledge_project(root: Path, base: str = "bundled/smollm2-135m-instruct", **knowledge: Any) -> Path:
    """A project with one adapter and the hashing embedder; keys of ``knowledge`` are added to its config."""
    root.mkdir(parents=True, exist_ok=True)
    config = {
        "base": base,
        "adapters": {"first": {"data": "data.jsonl", "task": "instruct"}},
        "knowledge": {"embedder": "hashing:256", "language": "en", **knowledge},
    }
    (root / "hatrack.yaml").write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    return root


def write_rows(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def open_kb(root: Path) -> KnowledgeBase:
    return KnowledgeBase(Project(root), read_config(root).knowledge)


def add(root: Path, path: Path, collection: str = "main", **metadata: Any) -> IngestReport:
    kb = open_kb(root)
    try:
        return Ingest(kb, collection, metadata).add(path)
    finally:
        kb.close()


def found(root: Path, text: str, collections: tuple[str, ...] = ("main",), **query: Any) -> list[str]:
    """What is behind the ``#`` of each document that was found, best first."""
    kb = open_kb(root)
    try:
        return [one.source.partition("#")[2] or one.source for one in Retriever(kb).search(Query(text, collections, **query))]
    finally:
        kb.close()
