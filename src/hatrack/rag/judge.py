"""How good the finding is, on questions whose documents are known: nDCG@10, recall@k, MRR@10."""

from __future__ import annotations

import json
import math
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hatrack.core.errors import DataFileError
from hatrack.rag.records import Passage

__all__ = ["Judged", "Judgement", "judge", "ndcg", "read_questions"]

_DEPTH = 10
_RECALL = 5


@dataclass(frozen=True)
class Judged:
    """One question and the documents that answer it, with a grade each."""

    text: str
    relevant: Mapping[str, float]


@dataclass(frozen=True)
class Judgement:
    """Means over all questions; times in milliseconds."""

    questions: int
    ndcg_at_10: float
    recall_at_5: float
    recall_at_10: float
    mrr_at_10: float
    p50_ms: float
    p95_ms: float


def ndcg(ranked: Sequence[str], relevant: Mapping[str, float], depth: int = _DEPTH) -> float:
    """Normalised discounted cumulative gain with linear gains (Järvelin & Kekäläinen 2002), as trec_eval has it."""
    gain = sum(relevant.get(one, 0) / math.log2(rank + 1) for rank, one in enumerate(ranked[:depth], 1))
    best = sum(grade / math.log2(rank + 1) for rank, grade in enumerate(sorted(relevant.values(), reverse=True)[:depth], 1))
    return gain / best if best else 0.0


def judge(questions: Sequence[Judged], search: Callable[[str], list[Passage]]) -> Judgement:
    """Ask every question; a document counts at the rank of its best passage.

    Args:
        search: gives passages, best first; of at least ten documents if it can.
    """
    gains, fives, tens, ranks, seconds = [], [], [], [], []
    for question in questions:
        start = time.perf_counter()
        found = search(question.text)
        seconds.append(1000 * (time.perf_counter() - start))
        ranked = list(dict.fromkeys(_named(passage, question.relevant) for passage in found))
        good = {one for one, grade in question.relevant.items() if grade > 0}
        gains.append(ndcg(ranked, question.relevant))
        fives.append(len(good & set(ranked[:_RECALL])) / len(good))
        tens.append(len(good & set(ranked[:_DEPTH])) / len(good))
        ranks.append(next((1 / rank for rank, one in enumerate(ranked[:_DEPTH], 1) if one in good), 0.0))
    seconds.sort()
    p95 = seconds[min(len(seconds) - 1, math.ceil(0.95 * len(seconds)) - 1)]
    gain, five, ten, rank = (statistics.fmean(values) for values in (gains, fives, tens, ranks))
    return Judgement(len(questions), gain, five, ten, rank, statistics.median(seconds), p95)


def read_questions(path: Path) -> list[Judged]:
    """Questions from a file of JSON lines: ``{"text": ..., "relevant": ["SOURCE", ...]}``.

    A document is named as ``hatrack kb list`` does, or by what stands behind its ``#``; ``relevant`` may also be an object
    with a grade for each.

    Raises:
        DataFileError: there is no such file, or a line that is no question.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataFileError("the questions cannot be read", given=f"{path}: {error}", fix="correct the path") from error
    found = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            text, relevant = row["text"], row["relevant"]
            grades = {str(one): float(relevant[one]) if isinstance(relevant, dict) else 1.0 for one in relevant}
        except (ValueError, KeyError, TypeError) as error:
            raise DataFileError(
                "this line is no question",
                given=f"{path}, line {number}: {line[:80]}",
                allowed='{"text": "...", "relevant": ["SOURCE", ...]}',
            ) from error
        if not isinstance(text, str) or not any(grade > 0 for grade in grades.values()):
            raise DataFileError(
                "this question has no text, or no document that answers it", given=f"{path}, line {number}", fix="correct the line"
            )
        found.append(Judged(text, grades))
    if not found:
        raise DataFileError("there is no question in this file", given=str(path), allowed="at least one line")
    return found


def _named(passage: Passage, relevant: Mapping[str, float]) -> str:
    """A document by the name that the questions use for it."""
    short = passage.source.partition("#")[2]
    return short if short and passage.source not in relevant else passage.source
