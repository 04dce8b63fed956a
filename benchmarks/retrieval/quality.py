"""How good the finding is: public questions whose documents are known, in every mode; what is chosen is chosen on others.

The weights of fusing are chosen on SciFact's training claims, by the rankings of both sides fused again for each choice. The
claims and questions that are reported were not looked at for it.
"""

from __future__ import annotations

import json
import statistics
import time
from pathlib import Path

import yaml

from hatrack.core.config_file import read_config
from hatrack.core.project import Project
from hatrack.rag.fuse import reciprocal_ranks
from hatrack.rag.ingest import Ingest
from hatrack.rag.judge import Judged, judge, ndcg
from hatrack.rag.knowledge import KnowledgeBase
from hatrack.rag.retrieve import Query, Retriever

MODES = ("hybrid", "dense", "words")
CONSTANTS, WEIGHTS = (5, 10, 20, 40, 60), (0.3, 0.4, 0.5, 0.6, 0.7)


def rows(path: Path) -> list[dict]:
    with path.open(encoding="utf-8") as stream:
        return [json.loads(line) for line in stream]


def questions(texts: list[dict], qrels: Path) -> list[Judged]:
    grades: dict[str, dict[str, float]] = {}
    for line in qrels.read_text(encoding="utf-8").splitlines()[1:]:
        query, document, grade = line.split("\t")
        grades.setdefault(query, {})[document] = float(grade)
    return [Judged(row["text"], grades[row["id"]]) for row in texts if any(grades.get(row["id"], {}).values())]


def project(root: Path, corpus: list[dict], language: str, **knowledge: object) -> Path:
    """A collection of whole documents, as the published figures have it."""
    root.mkdir(parents=True, exist_ok=True)
    config = {
        "adapters": {"none": {"data": "none.jsonl", "task": "instruct"}},
        "knowledge": {"chunks": {"by": "whole"}, "language": language, "pii": {"mode": "off"}, **knowledge},
    }
    (root / "hatrack.yaml").write_text(yaml.safe_dump(config))
    (root / "corpus.jsonl").write_text("".join(json.dumps(row) + "\n" for row in corpus), encoding="utf-8")
    return root


def opened(root: Path) -> KnowledgeBase:
    return KnowledgeBase(Project(root), read_config(root).knowledge)


def found(root: Path, name: str, corpus: list[dict], asked: list[Judged], language: str) -> dict[str, float]:
    """A collection, searched in each mode."""
    kb = opened(project(root, corpus, language))
    start = time.perf_counter()
    report = Ingest(kb, "main").add(root / "corpus.jsonl")
    figures = {f"{name}_documents_per_s": report.added / (time.perf_counter() - start)} if report.added == len(corpus) else {}
    retriever = Retriever(kb)
    for mode in MODES:
        one = judge(asked, lambda text, mode=mode: retriever.search(Query(text, ("main",), mode=mode, k=10)))
        key = f"{name}_{'bm25' if mode == 'words' else mode}"
        figures |= {key: one.ndcg_at_10, f"{key}_recall5": one.recall_at_5}
        if mode == "hybrid":
            figures |= {f"{name}_p50_ms": one.p50_ms, f"{name}_p95_ms": one.p95_ms}
    kb.close()
    return figures


def scifact_corpus(data: Path) -> list[dict]:
    return [{key: row[key] for key in ("id", "title", "text")} for row in rows(data / "medical" / "scifact" / "corpus.jsonl")]


def scifact_questions(data: Path, split: str) -> list[Judged]:
    folder = data / "medical" / "scifact"
    return questions(rows(folder / f"{split}.jsonl"), folder / f"qrels_{split}.tsv")


def scifact(data: Path, work: Path) -> dict[str, float]:
    return found(work / "scifact", "scifact", scifact_corpus(data), scifact_questions(data, "test"), "en")


def frtax(data: Path, work: Path) -> dict[str, float]:
    """Without titles: the questions are the titles of some sheets."""
    folder = data / "legal" / "fr_tax"
    corpus = [{key: row[key] for key in ("id", "text")} for row in rows(folder / "corpus.jsonl")]
    return found(work / "frtax", "frtax", corpus, questions(rows(folder / "test.jsonl"), folder / "qrels.tsv"), "fr")


def fusing(data: Path, work: Path) -> dict[str, float]:
    """Which weights of fusing the training claims would choose, and how little the neighbours differ; after ``scifact``."""
    asked = scifact_questions(data, "train")
    kb = opened(project(work / "scifact", scifact_corpus(data), "en"))
    retriever = Retriever(kb)
    sides = {mode: [_ranked(retriever, one.text, mode) for one in asked] for mode in ("dense", "words")}
    kb.close()
    scores = {}
    for constant in CONSTANTS:
        for weight in WEIGHTS:
            gains = []
            for one, dense, words in zip(asked, sides["dense"], sides["words"], strict=True):
                pairs = [(w, ids) for w, ids in ((weight, dense), (1 - weight, words)) if ids]
                gains.append(ndcg(list(reciprocal_ranks(pairs, constant)), one.relevant))
            scores[constant, weight] = statistics.fmean(gains)
    constant, weight = max(scores, key=scores.__getitem__)
    chosen = read_config(work / "scifact").knowledge.search
    return {
        "fusing_claims": len(asked),
        "fusing_best_constant": constant,
        "fusing_best_weight": weight,
        "fusing_best": scores[constant, weight],
        "fusing_defaults": scores[chosen.rank_constant, chosen.dense_weight],
        "fusing_worst": min(scores.values()),
    }


def int8(data: Path, work: Path) -> dict[str, float]:
    """The same claims with vectors in 8 bits, made anew; and asked in 8 bits of the vectors in full precision; after ``scifact``."""
    asked = scifact_questions(data, "test")
    figures = {}
    for name, root in (("anew", work / "scifact-int8"), ("shared", work / "scifact")):
        kb = opened(project(root, scifact_corpus(data), "en", precision="int8"))
        start = time.perf_counter()
        if name == "anew":
            report = Ingest(kb, "main").add(root / "corpus.jsonl")
            if report.added == 5183:
                figures["int8_documents_per_s"] = report.added / (time.perf_counter() - start)
        retriever = Retriever(kb)
        for mode in ("hybrid", "dense"):
            one = judge(asked, lambda text, mode=mode, retriever=retriever: retriever.search(Query(text, ("main",), mode=mode, k=10)))
            figures[f"int8_{name}_{mode}"] = one.ndcg_at_10
        if name == "shared":
            figures["int8_least_cosine"] = min(kb.catalog.meta("agreed").values())
        kb.close()
    return figures


def _ranked(retriever: Retriever, text: str, mode: str) -> list[str]:
    found = retriever.search(Query(text, ("main",), mode=mode, k=100))
    return [one.source.partition("#")[2] for one in found]
