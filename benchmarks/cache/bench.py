"""How often would a semantic cache give a wrong answer: by similarity alone, and with the guard on words.

    banking77   13,083 messages; two of different intents must not share an answer
    tatqa       3,331 questions on 555 tables; two on one table with different answers must not share one

Every pair that a threshold of 0.95 lets through counts, and so does every pair of which the guard says it is the same.
Then the exact tier: time of a hit and of a miss with 20,000 answers in the file, in one process and beside a writer.
"""

from __future__ import annotations

import json
import random
import shutil
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator, Sequence
from pathlib import Path

import numpy as np

from hatrack.answering.cache import AnswerCache
from hatrack.answering.kept import KeptAnswer
from hatrack.answering.wording import content_words
from hatrack.core.digest import sha256_text
from hatrack.models.embedder import TextEmbedder
from hatrack.models.loading import open_base
from hatrack.serving.request import TokenChoice

SIMILARITY = 0.95
ANSWERS = 20_000


def say(line: str) -> None:
    print(time.strftime("%H:%M:%S"), line, flush=True)


def rows(path: Path) -> list[dict]:
    with path.open(encoding="utf-8") as stream:
        return [json.loads(line) for line in stream]


def pairs(vectors: np.ndarray, groups: Sequence[Sequence[int]]) -> Iterator[tuple[int, int]]:
    """Pairs within a group that the threshold lets through, each once."""
    for group in groups:
        members = np.array(group)
        for start in range(0, len(members), 1000):
            block = members[start : start + 1000]
            for i, j in np.argwhere(vectors[block] @ vectors[members].T >= SIMILARITY):
                if block[i] < members[j]:
                    yield int(block[i]), int(members[j])


def judge(
    name: str, texts: list[str], vectors: np.ndarray, groups: Sequence[Sequence[int]], answer: Callable[[int], Hashable]
) -> dict[str, float]:
    words = [content_words(text) for text in texts]
    counts: dict[str, int] = defaultdict(int)
    for i, j in pairs(vectors, groups):
        if " ".join(texts[i].split()) == " ".join(texts[j].split()):
            continue  # the exact tier has it
        wrong = answer(i) != answer(j)
        counts["similar"] += 1
        counts["similar_wrong"] += wrong
        if words[i] == words[j]:
            counts["guarded"] += 1
            counts["guarded_wrong"] += wrong
            if wrong:
                say(f"{name}: {texts[i]!r} | {texts[j]!r}")
    say(f"{name}: {dict(counts)}")
    keys = ("similar", "similar_wrong", "guarded", "guarded_wrong")
    return {f"{name}_{key}": counts[key] for key in keys}


def exact(work: Path) -> dict[str, float]:
    shutil.rmtree(work, ignore_errors=True)
    cache = AnswerCache(work / "answers.db", ttl=1e6, max_bytes=1e9)
    answer = KeptAnswer("An answer of some length. " * 20, tuple(TokenChoice(i, 0.0) for i in range(120)), "stop", 200, 120)
    keys = [sha256_text(str(i)) for i in range(ANSWERS)]
    start = time.perf_counter()
    for number, key in enumerate(keys):
        cache.put(key, answer, tenant="", digest="d")
        if number % 500 == 0:
            cache.flush()
    cache.flush()
    claims = {"put_per_s": ANSWERS / (time.perf_counter() - start), "file_mb": (work / "answers.db").stat().st_size / 1e6}
    if cache.figures().answers != ANSWERS:
        raise SystemExit(f"{cache.figures()} instead of {ANSWERS} answers")
    chosen = random.Random(1).sample(keys, 2000)
    claims |= {"hit_p50_ms": lookups(cache, chosen), "miss_p50_ms": lookups(cache, [key[::-1] for key in chosen])}
    stop = threading.Event()

    def write() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            cache.put(sha256_text(f"w{number}"), answer, tenant="", digest="d")
            time.sleep(0.002)

    writer = threading.Thread(target=write)
    writer.start()
    claims["hit_beside_writer_p50_ms"] = lookups(cache, chosen)
    stop.set()
    writer.join()
    cache.close()
    return claims


def lookups(cache: AnswerCache, keys: Sequence[str]) -> float:
    seconds = []
    for key in keys:
        start = time.perf_counter()
        cache.get(key)
        seconds.append(time.perf_counter() - start)
    return 1000 * float(np.median(seconds))


def run(data: Path, work: Path) -> dict[str, float]:
    claims = exact(work)
    say(f"{claims}")
    embed = TextEmbedder(open_base("bundled/all-minilm-l6-v2"))
    bank = [row for part in ("train", "test") for row in rows(data / "finance/banking77" / f"{part}.jsonl")]
    texts = [row["text"] for row in bank]
    claims |= judge("banking77", texts, embed(texts), [range(len(texts))], lambda i: bank[i]["label"])
    table = [row for part in ("train", "test") for row in rows(data / "finance/tatqa" / f"{part}.jsonl")]
    by_context = defaultdict(list)
    for number, row in enumerate(table):
        by_context[row["context_id"]].append(number)
    texts = [row["question"] for row in table]
    claims |= judge("tatqa", texts, embed(texts), list(by_context.values()), lambda i: json.dumps([table[i]["answer"], table[i]["scale"]]))
    return {key: round(float(value), 4) for key, value in claims.items()}
