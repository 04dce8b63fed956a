"""A process that is killed again and again while it adds documents or writes an index, and what it leaves each time.

Run as ``python killed_ingest.py PROJECT FILE ROUNDS SEED ingest|index``. It loads everything once and forks, so that a kill
costs milliseconds. Prints one JSON line: what was acknowledged and lost, over all rounds.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import sys
import time
from pathlib import Path

import hatrack.rag.ingest as ingest
from hatrack.core.config_file import read_config
from hatrack.core.project import Project
from hatrack.rag.knowledge import KnowledgeBase
from hatrack.rag.retrieve import Query, Retriever

ingest._BATCH = 8


def opened(root: Path) -> KnowledgeBase:
    return KnowledgeBase(Project(root), read_config(root).knowledge)


def work(root: Path, file: Path, told: int, kind: str) -> None:
    kb = opened(root)
    if kind == "ingest":
        plain = ingest.Ingest._commit

        def telling(self, batch, known):
            plain(self, batch, known)
            os.write(told, "".join(cut.document.source + "\n" for cut in batch).encode())

        ingest.Ingest._commit = telling
        ingest.Ingest(kb, "main").add(file)
    else:
        shutil.rmtree(root / ".hatrack" / "kb" / "graphs", ignore_errors=True)
        shutil.rmtree(root / ".hatrack" / "kb" / "words", ignore_errors=True)
        os.write(told, b"go\n")
        Retriever(kb).search(Query("stone number 3", ("main",)))


def round_of(root: Path, file: Path, kind: str, kill: tuple[int, float] | None = None) -> set[str]:
    """One kill, so many acknowledged documents and then seconds after the beginning, or none; returns what was acknowledged."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.close(reading)
        work(root, file, writing, kind)
        os._exit(0)
    os.close(writing)
    told = b""
    if kill is not None:
        documents, seconds = kill
        while told.count(b"\n") < documents and (more := os.read(reading, 1 << 16)):
            told += more
        time.sleep(seconds)
        os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    with os.fdopen(reading, "rb") as stream:
        return set((told + stream.read()).decode().split("\n")) - {"", "go"}


def main() -> None:
    root, file, rounds, seed, kind = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]), sys.argv[5]
    rng = random.Random(seed)
    lost, acknowledged, partial, searched = [], 0, 0, 0
    start = time.perf_counter()
    count = len(round_of(root, file, kind))
    whole = time.perf_counter() - start
    for number in range(rounds):
        if kind == "ingest":
            shutil.rmtree(root / ".hatrack", ignore_errors=True)
        # Three of four kills of adding come within the time of a few batches after a number of documents: a machine that slows down
        # meanwhile would move kills by the clock alone all to the beginning.
        if kind == "ingest" and number % 4:
            moment = rng.randrange(count), rng.uniform(0.0, whole / 8)
        else:
            moment = 0, rng.uniform(0.0, whole)
        told = round_of(root, file, kind, moment)
        acknowledged += len(told)
        kb = opened(root)
        ready = {row.source for row in kb.catalog.documents("main")}
        lost += sorted(told - ready)
        partial += len(ready) > 0
        if kind == "ingest":  # a graph is approximate: what it does not reach is not lost
            searchable = {one.id for one in kb.store.search("main", kb.embedder.queries(["stone"])[0], 1000)}
            lost += sorted(ready - {row.source for row in kb.catalog.chunks("main", ids=sorted(searchable)).values()})
        if ready:
            searched += bool(Retriever(kb).search(Query("stone number 3", ("main",))))
        kb.close()
    kb = opened(root)
    ingest.Ingest(kb, "main").add(file)
    seen = {"lost": lost, "acknowledged": acknowledged, "begun": partial, "searched": searched}
    sys.stdout.write(json.dumps({**seen, "end": [*kb.catalog.counts("main"), kb.store.count("main")]}) + "\n")


if __name__ == "__main__":
    main()
