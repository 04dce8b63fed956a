"""Faults of documents and of finding them, for the catalogue behind docs/errors.md."""

from __future__ import annotations

from typing import Any

from error_place import Place, case, fault
from hatrack.cli.main import main
from knowledge_places import FACTS, knowledge_project, write_rows


def _base(at: Place, **knowledge: Any) -> None:
    at.root = knowledge_project(at.tmp / "project", **knowledge)
    write_rows(at.root / "facts.jsonl", FACTS)


def _filled(at: Place, **knowledge: Any) -> None:
    _base(at)
    at.quietly(lambda: main(["kb", "add", str(at.root / "facts.jsonl"), "--project", str(at.root)]))
    if knowledge:
        knowledge_project(at.root, **knowledge)


fault("a search before anything was added", "kb search refunds", _base, "no document has been added yet", "hatrack kb add")
fault("adding without a path and without sources", "kb add", _base, "nothing to add", "sources")
fault("adding a path that is not there", "kb add PROJECT/fcts.jsonl", _base, "no such file", "did you mean facts.jsonl?")
fault("metadata without a value", "kb add PROJECT/facts.jsonl --set country", _base, "NAME=VALUE")
fault("metadata with a date that is none", "kb add PROJECT/facts.jsonl --set valid_to=soon", _base, "2024-01-31")
fault("a collection that is not there", "kb search x --collection mian", _filled, "did you mean main?")
fault("a filter on a field that no document has", 'kb search x --filter {"contry":"FR"}', _filled, "did you mean country?")
fault("a filter that is none", 'kb search x --filter {"country":{"like":"F"}}', _filled, "this is no filter", '"any"')
fault("a filter that is no JSON", "kb search x --filter country=FR", _filled, "this is no filter", "JSON")
fault("a day that is none", "kb search x --as-of 31/12/2020", _filled, "2024-01-31")
fault("a document to remove that is not there", "kb remove facts.jsonl#vta", _filled, "did you mean facts.jsonl#vat?")
fault(
    "another embedder than the vectors are from",
    "kb search x",
    lambda at: _filled(at, embedder="hashing:64"),
    "another embedder",
    "hatrack kb clear",
)
fault("another store than the vectors lie in", "kb search x", lambda at: _filled(at, store="faiss:///other"), "another store")
fault(
    "a store that is none", "kb add PROJECT/facts.jsonl", lambda at: _base(at, store="fais:///kb"), "no store called", "did you mean faiss?"
)
fault(
    "a Qdrant server that does not answer",
    "kb add PROJECT/facts.jsonl",
    lambda at: _base(at, store="qdrant://127.0.0.1:9"),
    "the Qdrant server does not answer",
)
fault(
    "a Weaviate server that does not answer",
    "kb add PROJECT/facts.jsonl",
    lambda at: _base(at, store="weaviate://127.0.0.1:9"),
    "the Weaviate server does not answer",
)
fault(
    "a Pinecone index without a key",
    "kb add PROJECT/facts.jsonl",
    lambda at: _base(at, store="pinecone://index.example"),
    "PINECONE_API_KEY not set",
)
fault(
    "a PostgreSQL server that does not answer",
    "kb add PROJECT/facts.jsonl",
    lambda at: _base(at, store="postgresql://127.0.0.1:9/db"),
    "the PostgreSQL server does not answer",
)
fault("a store that is no URL", "kb add PROJECT/facts.jsonl", lambda at: _base(at, store="kb"), "no URL")
fault(
    "an option that a store does not have",
    "kb add PROJECT/facts.jsonl",
    lambda at: _base(at, store="faiss:///kb?grph_from=3"),
    "graph_from",
)
fault("an embedder of no kind", "kb add PROJECT/facts.jsonl", lambda at: _base(at, embedder="hshing:3"), "did you mean hashing?")
fault("a hashing embedder of no size", "kb add PROJECT/facts.jsonl", lambda at: _base(at, embedder="hashing:3"), "hashing:N")
fault("eight bits for an embedder that has none", "kb add PROJECT/facts.jsonl", lambda at: _base(at, precision="int8"), "only an encoder")
fault(
    "a reranker of no kind",
    "kb search x",
    lambda at: _filled(at, search={"reranker": "crss-encoder:x"}),
    "no reranker called",
    "did you mean cross-encoder?",
)
fault(
    "a reranker that scores no pairs",
    "kb search refunds",
    lambda at: _filled(at, search={"reranker": "bundled/all-minilm-l6-v2"}),
    "does not score pairs",
    "knowledge.search.reranker",
)
fault("a language without a stemmer", "kb search x", lambda at: _filled(at, language="xx"), "no stemmer", "auto")
fault(
    "chunks that are longer than the embedder reads",
    "kb add PROJECT/facts.jsonl",
    lambda at: _base(at, chunks={"tokens": 4000}),
    "longer than the embedder reads",
)
fault(
    "keys and values that knowledge cannot have",
    "kb list",
    lambda at: _base(at, stor="x", chunks={"tokens": 20, "overlap": 30}, collections={"Main!": {}}),
    "did you mean store?",
    "smaller than tokens",
    "collections have names",
)


@case("an adapter that reads a collection that is not there", "rag names the collection 'fr'", "main")
def _(at: Place) -> str:
    _base(at)
    path = at.root / "hatrack.yaml"
    path.write_text(path.read_text().replace("task: instruct", "task: instruct\n    rag: {collections: fr}"))
    return "kb list"


@case("questions that cannot be read", "no question")
def _(at: Place) -> str:
    _filled(at)
    (at.root / "questions.jsonl").write_text('{"text": "x"}\n')
    return "kb eval PROJECT/questions.jsonl"


@case("a folder that holds nothing to read", "holds no file that can be read")
def _(at: Place) -> str:
    _base(at)
    (at.root / "empty").mkdir()
    return "kb add PROJECT/empty"
