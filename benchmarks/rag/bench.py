"""What does retrieval bring, what does an adapter bring, and what do both? One small base, two sets of questions.

    pubmedqa  yes, no or maybe, from an abstract among 1,000          right answers, and answers that are nothing but one
    tatqa     a span out of a paragraph of an annual report, 1,318    word overlap (F1) with the span, and words of an answer

Four systems answer the same test questions through the same engine, with the same instruction in the system prompt:

    base       the question alone               adapter   the same, with an adapter
    retrieval  the best passage before it       both      both

The adapter learns from training questions only, one half of them alone, the other half with their own passage as retrieval
would frame it; it is the same adapter in both systems. Retrieval searches the passages of the test questions and as many
others, and is not told which one is right. Intervals are paired bootstraps over questions.
"""

from __future__ import annotations

import json
import random
import re
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

import numpy as np
import yaml

from hatrack.answering.grounding import Grounder, KnowledgeWish
from hatrack.core.chat import Message
from hatrack.core.config_file import read_config
from hatrack.core.lineage import Manifest
from hatrack.core.project import Project
from hatrack.evaluation.metrics.base import METRICS, Answers
from hatrack.evaluation.statistics import bca_interval
from hatrack.rag.cite import without_markers
from hatrack.rag.frame import framed
from hatrack.serving.request import Failed, Finished, Piece, SamplingParams
from hatrack.serving.service import ModelService
from hatrack.serving.settings import EngineSettings

SEED, TRAIN, TEST = 13, 240, 150
WORDS = 160  # of an abstract: what the embedder reads of it
SYSTEMS = ("base", "retrieval", "adapter", "both")
PAIRS = (("retrieval", "base"), ("adapter", "base"), ("both", "retrieval"), ("both", "adapter"))
PARTS = ("pubmedqa", "tatqa")


@dataclass(frozen=True)
class Asked:
    """A question, its answer, and the passage that holds it."""

    question: str
    answer: str
    passage: str
    text: str


@dataclass(frozen=True)
class Questions:
    """One set.

    Attributes:
        score, manner: of an answer given and the right one: is it true, and is it said as it should be?
    """

    system: str
    passages: dict[str, str]
    train: list[Asked]
    test: list[Asked]
    score: Callable[[str, str], float]
    manner: Callable[[str, str], float]


def say(line: str) -> None:
    print(time.strftime("%H:%M:%S"), line, flush=True)


def rows(path: Path) -> list[dict]:
    with path.open(encoding="utf-8") as stream:
        return [json.loads(line) for line in stream]


def drawn(some: list[Asked], count: int) -> list[Asked]:
    return random.Random(SEED).sample(some, min(count, len(some)))


def pubmedqa(data: Path) -> Questions:
    folder = data / "medical" / "pubmedqa"
    splits = {split: rows(folder / f"{split}.jsonl") for split in ("train", "test")}
    texts = {row["id"]: " ".join(row["context"].split()[:WORDS]) for some in splits.values() for row in some}
    asked = {split: [Asked(r["question"], r["label"], r["id"], texts[r["id"]]) for r in some] for split, some in splits.items()}

    def right(given: str, answer: str) -> float:
        found = re.search(r"\b(yes|no|maybe)\b", given.lower())
        return float(found is not None and found[1] == answer)

    def only_a_label(given: str, answer: str) -> float:
        return float(given.lower().strip(" .") in ("yes", "no", "maybe"))

    system = "Answer the question with one word: yes, no or maybe."
    return Questions(system, texts, drawn(asked["train"], TRAIN), drawn(asked["test"], TEST), right, only_a_label)


def tatqa(data: Path) -> Questions:
    folder = data / "finance" / "tatqa"
    paragraphs = {one["id"]: one["text"] for row in rows(folder / "contexts.jsonl") if row["split"] == "test" for one in row["paragraphs"]}
    known = {one["id"]: one["text"] for row in rows(folder / "contexts.jsonl") for one in row["paragraphs"]}
    asked = {}
    for split in ("train", "test"):
        spans = [r for r in rows(folder / f"{split}.jsonl") if r["answer_type"] == "span" and r["answer_from"] == "text"]
        asked[split] = [Asked(r["question"], r["answer"][0], r["rel_paragraphs"][0], known[r["rel_paragraphs"][0]]) for r in spans]
    f1 = METRICS.get("token_f1")()
    return Questions(
        "Answer the question with the words of the annual report, in as few words as possible.",
        paragraphs,
        drawn(asked["train"], TRAIN),
        drawn(asked["test"], TEST),
        lambda given, answer: float(f1.rows(Answers((given,), (answer,)))[0, 0]),
        lambda given, answer: float(len(given.split())),
    )


def project(root: Path, name: str, some: Questions) -> None:
    """The set as a project: half of the training questions alone, half as retrieval frames them."""
    root.mkdir(parents=True, exist_ok=True)
    chats = []
    for i, one in enumerate(some.train):
        turns = (Message("system", some.system), Message("user", one.question))
        turns = framed(turns, [one.text]) if i % 2 else turns
        chats.append({"messages": [turn.as_dict() for turn in (*turns, Message("assistant", one.answer))]})
    (root / "train.jsonl").write_text("".join(json.dumps(one) + "\n" for one in chats), encoding="utf-8")
    corpus = [{"id": key, "text": text} for key, text in some.passages.items()]
    (root / "corpus.jsonl").write_text("".join(json.dumps(one) + "\n" for one in corpus), encoding="utf-8")
    adapter = {
        "data": "train.jsonl",
        "task": "instruct",
        "split": [0.9, 0.05, 0.05],
        "checks": {"max_truncated": 1.0, "max_conflicts": 1.0},
        "last_layers": 10,
        "train": {"epochs": 2, "batch_size": 8, "max_length": 512},
        "rag": {"enabled": False, "tokens": 512, "threshold": -1.0, "k": 1},
    }
    config = {
        "base": "bundled/smollm2-135m-instruct",
        "adapters": {name: adapter},
        "knowledge": {"language": "en", "chunks": {"by": "whole"}, "pii": {"mode": "off"}},
    }
    (root / "hatrack.yaml").write_text(yaml.safe_dump(config, sort_keys=False))


def hatrack(*arguments: str) -> None:
    done = subprocess.run([sys.executable, "-m", "hatrack", *arguments], stdout=subprocess.DEVNULL, check=False)
    if done.returncode:
        raise SystemExit(f"hatrack {' '.join(arguments)} ended with {done.returncode}")


def answers(service: ModelService, prompts: Sequence[tuple[int, ...]], manifest: Manifest | None) -> list[str]:
    """All at once: the engine batches them."""
    params, queue = SamplingParams(max_tokens=24), SimpleQueue()
    texts: list[list[str]] = [[] for _ in prompts]

    def listen(i: int) -> Callable[[object], None]:
        return lambda event: queue.put((i, event))

    for i, prompt in enumerate(prompts):
        service.submit(manifest, prompt, params, listen(i))
    left = len(prompts)
    while left:
        i, event = queue.get()
        if isinstance(event, Failed):
            raise event.error
        if isinstance(event, Piece):
            texts[i].append(event.text)
        left -= isinstance(event, Finished)
    return [without_markers("".join(text)).strip() for text in texts]


def figures(name: str, data: Path, work: Path) -> dict[str, float]:
    some, root = {"pubmedqa": pubmedqa, "tatqa": tatqa}[name](data), work / name
    project(root, name, some)
    say(f"{name}: {len(some.train)} training questions, {len(some.test)} test questions, {len(some.passages)} passages")
    start = time.perf_counter()
    hatrack("train", name, "--project", str(root))
    trained = time.perf_counter() - start
    hatrack("kb", "add", str(root / "corpus.jsonl"), "--project", str(root))
    say(f"{name}: trained in {trained:.0f} s, passages are in")
    config = read_config(root)
    service = ModelService(Project(root), config, EngineSettings(queue=2 * TEST))
    service.start()
    grounder = Grounder(Project(root), config)
    try:
        plain, sourced, found = [], [], []
        for one in some.test:
            turns = (Message("system", some.system), Message("user", one.question))
            grounded = grounder.ground(
                turns, name, KnowledgeWish(), tenant=None, count=lambda text: len(service.renderer.encode(text)), room=1500
            )
            plain.append(service.render(None, turns))
            sourced.append(service.render(None, grounded.messages))
            found.append(any(passage.source.partition("#")[2] == one.passage for passage in grounded.passages))
        manifest = service.resolve(name)
        given = {}
        for system in SYSTEMS:
            prompts = sourced if system in ("retrieval", "both") else plain
            given[system] = answers(service, prompts, manifest if system in ("adapter", "both") else None)
            say(f"{name}, {system}: {given[system][:4]}")
    finally:
        service.stop(drain=False)
        grounder.close()
    kept = [{"question": one.question, "answer": one.answer, **{s: given[s][i] for s in SYSTEMS}} for i, one in enumerate(some.test)]
    (root / "answers.jsonl").write_text("".join(json.dumps(one) + "\n" for one in kept), encoding="utf-8")
    scores = {s: np.array([some.score(text, one.answer) for text, one in zip(given[s], some.test, strict=True)]) for s in SYSTEMS}
    manners = {s: np.mean([some.manner(text, one.answer) for text, one in zip(given[s], some.test, strict=True)]) for s in SYSTEMS}
    right = [some.manner(one.answer, one.answer) for one in some.test]
    claims = {f"{name}_questions": len(some.test), f"{name}_found": np.mean(found), f"{name}_train_seconds": trained}
    claims |= {f"{name}_{s}": scores[s].mean() for s in SYSTEMS} | {f"{name}_{s}_manner": manners[s] for s in SYSTEMS}
    claims[f"{name}_right_manner"] = np.mean(right)
    if name == "pubmedqa":
        answers_known = [one.answer for one in some.test]
        claims["pubmedqa_majority"] = max(answers_known.count(label) for label in set(answers_known)) / len(answers_known)
    for one, other in PAIRS:
        both = np.stack([scores[one], scores[other]], axis=1)
        interval = bca_interval(lambda r: float((r[:, 0] - r[:, 1]).mean()), both, 0.95, SEED)
        key = f"{name}_{one}_over_{other}"
        claims |= {key: (both[:, 0] - both[:, 1]).mean(), f"{key}_low": interval.low, f"{key}_high": interval.high}
    return {key: round(float(value), 4) for key, value in claims.items()}


def run(data: Path, work: Path, part: str | None = None) -> dict[str, float]:
    work.mkdir(parents=True, exist_ok=True)
    claims: dict[str, float] = {}
    for name in PARTS if part is None else (part,):
        path = work / f"{name}.json"
        if not path.is_file():
            path.write_text(json.dumps(figures(name, data, work)))
            say(path.read_text())
        claims |= json.loads(path.read_text())
    return claims
