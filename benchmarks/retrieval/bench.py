"""Does retrieval find what published figures say, does fusing help, and what does the store add to raw FAISS?

    scifact   300 claims on 5,183 abstracts (BEIR): nDCG@10 by meaning, by words, and fused
    frtax     115 French questions on 1,011 sheets (the embedder is English): the same, and recall@5
    fusing    which weights of fusing SciFact's 809 training claims choose: the defaults are theirs, not those of the questions above
    int8      SciFact with vectors in 8 bits: made anew, and asked of those in full precision
    5k ... 1m p50 and p95 of a search in synthetic vectors, plain and filtered, beside FAISS on the very same vectors
    graph     HNSW on 100,000 vectors: recall against the exact search, and its time
    volume    peak memory of `hatrack kb add` for a gigabyte of text, and for a tenth of it
    poisoned  how often the base obeys an order that stands in a document, framed and plain

Each part is kept when it is finished; a part that was interrupted goes on where ``hatrack kb add`` would.
"""

from __future__ import annotations

import json
import shutil
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path

import faiss
import numpy as np

sys.path.insert(0, str(Path(__file__).parent))

from poisoned import poisoned
from quality import frtax, fusing, int8, scifact
from volume import volume

from hatrack.rag.filters import parse_filter
from hatrack.rag.stores.base import Point, open_store

SIZE, CLUSTERS, SEED = 384, 200, 17
FILTERED = {"country": "FR", "year": {"gte": 2015}}  # keeps about one in forty
QUALITY = ("frtax", "poisoned", "scifact", "fusing", "int8")
SPEED = {"speed-5k": (5_000, 200), "speed-100k": (100_000, 200), "speed-1m": (1_000_000, 50)}
PARTS = (*QUALITY, *SPEED, "graph", "volume")


def say(line: str) -> None:
    print(time.strftime("%H:%M:%S"), line, flush=True)


def kept(work: Path, name: str, make: Callable[[], dict[str, float]]) -> dict[str, float]:
    path = work / f"{name}.json"
    if not path.is_file():
        say(name)
        figures = {key: round(float(value), 4) for key, value in make().items()}
        path.write_text(json.dumps(figures))
        say(f"{name}: {figures}")
    return json.loads(path.read_text())


def synthetic(count: int, seed: int) -> np.ndarray:
    """Vectors of length one around some centres, as embeddings lie."""
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(SEED).normal(size=(CLUSTERS, SIZE)).astype(np.float32)
    vectors = centres[rng.integers(0, CLUSTERS, count)] + rng.normal(size=(count, SIZE)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def payload(i: int) -> dict:
    return {"country": ("FR", "US", "IN", "DE", "GB", "ES", "IT", "PL", "BR", "JP")[i % 10], "year": 2000 + i // 10 % 20}


def filled(folder: Path, count: int, options: str = "") -> tuple[object, float]:
    """A store with so many points, and points it took in a second."""
    shutil.rmtree(folder, ignore_errors=True)
    store = open_store(f"faiss:////{folder}{options}", folder)
    seconds = 0.0
    for first in range(0, count, 5000):
        made = synthetic(5000, first)
        points = [Point(str(uuid.UUID(int=first + i + 1)), vector, payload(first + i)) for i, vector in enumerate(made)]
        start = time.perf_counter()
        store.put("main", points)
        seconds += time.perf_counter() - start
    return store, count / seconds


def times(search: Callable[[np.ndarray], object], asked: np.ndarray) -> np.ndarray:
    search(asked[0])
    seconds = []
    for vector in asked:
        start = time.perf_counter()
        search(vector)
        seconds.append(1000 * (time.perf_counter() - start))
    return np.array(seconds)


def speed(work: Path, label: str, count: int, searches: int) -> dict[str, float]:
    store, rate = filled(work / f"speed-{label}", count, "?graph_from=100000000")
    where = parse_filter(FILTERED)
    raw = faiss.IndexFlatIP(SIZE)
    for first in range(0, count, 5000):
        raw.add(synthetic(5000, first))
    allowed = [i for i in range(count) if payload(i)["country"] == "FR" and payload(i)["year"] >= 2015]
    selector = faiss.IDSelectorBatch(np.array(allowed, dtype=np.int64))
    parameters = faiss.SearchParameters(sel=selector)
    faiss.omp_set_num_threads(1)
    asked = synthetic(searches, 999)
    # in turns, so that whatever else the machine does falls on both
    ours, theirs, ours_filtered, theirs_filtered = [], [], [], []
    for part in np.array_split(asked, 5):
        ours.append(times(lambda v: store.search("main", v, 10), part))
        theirs.append(times(lambda v: raw.search(v[None], 10), part))
        ours_filtered.append(times(lambda v: store.search("main", v, 10, where), part))
        theirs_filtered.append(times(lambda v: raw.search(v[None], 10, params=parameters), part))
    for vector in asked[:20]:
        same = [one.id for one in store.search("main", vector, 10)] == [
            str(uuid.UUID(int=int(i) + 1)) for i in raw.search(vector[None], 10)[1][0]
        ]
        if not same:
            raise SystemExit("the store does not find what FAISS finds")
    store.close()
    shutil.rmtree(work / f"speed-{label}")
    plain, beside = np.concatenate(ours), np.concatenate(theirs)
    narrow, beside_narrow = np.concatenate(ours_filtered), np.concatenate(theirs_filtered)
    return {
        f"points_per_s_{label}": rate,
        f"p50_ms_{label}": np.median(plain),
        f"p95_ms_{label}": np.percentile(plain, 95),
        f"p50_ms_{label}_filtered": np.median(narrow),
        f"p95_ms_{label}_filtered": np.percentile(narrow, 95),
        f"vs_raw_faiss_{label}": np.median(plain) / np.median(beside),
        f"vs_raw_faiss_{label}_filtered": np.median(narrow) / np.median(beside_narrow),
    }


def graph(work: Path) -> dict[str, float]:
    count, asked = 100_000, synthetic(100, 999)
    store, _ = filled(work / "graph", count, "?graph_from=1")
    start = time.perf_counter()
    store.prepare("main")
    seconds = time.perf_counter() - start
    exact = faiss.IndexFlatIP(SIZE)
    for first in range(0, count, 5000):
        exact.add(synthetic(5000, first))
    hits = 0
    for vector in asked:
        true = {str(uuid.UUID(int=int(i) + 1)) for i in exact.search(vector[None], 10)[1][0]}
        hits += len(true & {one.id for one in store.search("main", vector, 10)})
    took = times(lambda v: store.search("main", v, 10), asked)
    store.close()
    shutil.rmtree(work / "graph")
    return {"graph_build_s": seconds, "graph_recall10": hits / (10 * len(asked)), "graph_p50_ms": np.median(took)}


def run(data: Path, work: Path, part: str | None = None) -> dict[str, float]:
    work.mkdir(parents=True, exist_ok=True)
    make: dict[str, Callable[[], dict[str, float]]] = {
        "frtax": lambda: frtax(data, work),
        "poisoned": lambda: poisoned(work),
        "scifact": lambda: scifact(data, work),
        "fusing": lambda: fusing(data, work),
        "int8": lambda: int8(data, work),
        **{name: lambda name=name: speed(work, name.partition("-")[2], *SPEED[name]) for name in SPEED},
        "graph": lambda: graph(work),
        "volume": lambda: volume(work),
    }
    claims: dict[str, float] = {}
    for name in PARTS if part is None else (part,):
        claims |= kept(work, name, make[name])
    return claims if part else {**claims, "vs_raw_faiss": claims["vs_raw_faiss_100k"]}
