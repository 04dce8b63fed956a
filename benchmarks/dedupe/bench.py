"""Near-duplicates: how many are found, how many are right, and how long it takes beside datasketch and on a million rows.

The truth is exact: the Jaccard similarity of every pair of documents, by a product of sparse matrices that shares no code
with the search. Both searches run three times, in turn, in this process; the ratio is that of the medians of CPU time.

    python benchmarks/run.py dedupe --data FOLDER
    python benchmarks/dedupe/bench.py million FOLDER     the million rows alone, in FOLDER for scratch
    python benchmarks/dedupe/bench.py letters FOLDER     the letters from one template alone
"""

from __future__ import annotations

import json
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
import scipy.sparse

sys.path.insert(0, str(Path(__file__).parent))

from documents import THRESHOLD, documents
from peer import datasketch_clusters

from hatrack.data.duplicates.clusters import clusters
from hatrack.data.duplicates.shingles import shingles
from hatrack.data.duplicates.sketches import bands_for
from hatrack.data.records import Example, normalised
from hatrack.data.split import split_examples
from hatrack.data.spool import Spool, SpoolWriter

RUNS = 3
MILLION = 1_000_000
LETTERS = 300_000


def say(line: str) -> None:
    print(time.strftime("%H:%M:%S"), line, flush=True)


def true_pairs(texts: list[str], threshold: float) -> set[tuple[int, int]]:
    """Every pair with a Jaccard similarity of at least ``threshold``."""
    vocabulary: dict[str, int] = {}
    pieces = [[vocabulary.setdefault(piece, len(vocabulary)) for piece in shingles(normalised(text))] for text in texts]
    sizes = np.array([len(piece) for piece in pieces])
    columns = np.concatenate([np.array(piece) for piece in pieces])
    table = scipy.sparse.csr_matrix((np.ones(len(columns), np.int32), columns, np.concatenate([[0], np.cumsum(sizes)])))
    found: set[tuple[int, int]] = set()
    for start in range(0, len(texts), 1000):
        common = (table[start : start + 1000] @ table.T).tocoo()
        left, right = common.row + start, common.col
        alike = common.data / (sizes[left] + sizes[right] - common.data)
        chosen = (alike >= threshold) & (left < right)
        found |= set(zip(left[chosen].tolist(), right[chosen].tolist(), strict=True))
    return found


def pairs_of(clusters: list[int]) -> set[tuple[int, int]]:
    members: dict[int, list[int]] = {}
    for i, number in enumerate(clusters):
        members.setdefault(number, []).append(i)
    return {(i, j) for rows in members.values() for i in rows for j in rows if i < j}


def timed(search: Callable[[], list[int]]) -> tuple[list[int], float, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    found = search()
    return found, time.process_time() - cpu, time.perf_counter() - wall


def against_datasketch(texts: list[str], true: set[tuple[int, int]]) -> dict[str, float]:
    searches: dict[str, Callable[[], list[int]]] = {
        "hatrack": lambda: clusters(texts, THRESHOLD),
        "datasketch": lambda: datasketch_clusters(texts, THRESHOLD, bands_for(THRESHOLD)),
        "datasketch_own_bands": lambda: datasketch_clusters(texts, THRESHOLD, None),
    }
    clusters(texts[:100], THRESHOLD)  # imports are not measured
    claims: dict[str, float] = {}
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in searches}
    for _ in range(RUNS):
        for name, search in searches.items():
            found, cpu, wall = timed(search)
            times[name].append((cpu, wall))
            pairs = pairs_of(found)
            claims[f"{name}_recall"] = len(pairs & true) / len(true)
            claims[f"{name}_precision"] = len(pairs & true) / len(pairs)
        say(", ".join(f"{name} {runs[-1][0]:.2f} s" for name, runs in times.items()))
    for name, runs in times.items():
        claims[f"{name}_cpu_seconds"] = statistics.median(cpu for cpu, _ in runs)
        claims[f"{name}_wall_seconds"] = statistics.median(wall for _, wall in runs)
    claims["recall"], claims["precision"] = claims.pop("hatrack_recall"), claims.pop("hatrack_precision")
    for unit, key in (("cpu", "ratio_datasketch"), ("wall", "ratio_datasketch_wall")):
        claims[key] = claims[f"datasketch_{unit}_seconds"] / claims[f"hatrack_{unit}_seconds"]
    claims["ratio_datasketch_own_bands"] = claims["datasketch_own_bands_cpu_seconds"] / claims["hatrack_cpu_seconds"]
    return claims


def peak_rss_mb() -> float:
    """Of this process alone: ru_maxrss begins with what the parent held when it forked."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def made_words(rng: random.Random, count: int) -> list[str]:
    return ["".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=rng.randint(2, 9))) for _ in range(count)]


def clustered(name: str, work: Path, texts: Iterable[str]) -> tuple[Spool, dict[str, float]]:
    """Write the texts and find their clusters; what it took."""
    start = time.perf_counter()
    with SpoolWriter.open(work / name) as spool:
        for number, text in enumerate(texts, 1):
            spool.append(Example(number, str(number), text, label=f"label {number % 50}"))
    claims = {f"{name}_write_seconds": time.perf_counter() - start, f"{name}_rss_before_mb": peak_rss_mb()}
    rows = Spool.open(work / name)
    found, cpu, wall = timed(lambda: clusters(rows.column("text"), THRESHOLD))
    claims |= {f"{name}_cpu_seconds": cpu, f"{name}_seconds": wall, f"{name}_peak_rss_mb": peak_rss_mb()}
    claims[f"{name}_clusters"] = len(set(found))
    return rows, claims


def million(work: Path) -> dict[str, float]:
    """A million rows of about a hundred characters, one in twenty a near-duplicate: written, clustered and split."""

    def texts() -> Iterator[str]:
        rng = random.Random(13)
        words = made_words(rng, 20_000)
        before: list[str] = []
        for number in range(1, MILLION + 1):
            if number % 20 == 0:
                yield " ".join([*before, rng.choice(words)])
            else:
                before = rng.choices(words, k=16)
                yield " ".join(before)

    rows, claims = clustered("million", work, texts())
    start = time.perf_counter()
    parts = split_examples(rows, (0.8, 0.1, 0.1), 13, THRESHOLD)
    claims |= {"million_split_seconds": time.perf_counter() - start, "million_split_peak_rss_mb": peak_rss_mb()}
    claims["million_train_rows"] = len(parts[0])
    return claims


def letters(work: Path) -> dict[str, float]:
    """Letters from one template: most pairs are close, none is close enough."""

    def texts() -> Iterator[str]:
        rng = random.Random(13)
        names = [word.title() for word in made_words(rng, 8000)]
        for _ in range(LETTERS):
            yield (
                f"Dear {rng.choice(names)} {rng.choice(names)}, your payment of {rng.randint(10, 9999)} euros for invoice "
                f"{rng.randint(10000, 99999)} has been overdue since the {rng.randint(1, 28)} of the month; please pay it "
                "within two weeks of this letter."
            )

    return clustered("letters", work, texts())[1]


def run(data: Path, work: Path) -> dict[str, float]:
    work.mkdir(parents=True, exist_ok=True)
    made = documents(data)
    true = true_pairs(made.texts, THRESHOLD)
    planted = set(made.copies)
    if not planted <= true or set(made.close) & true:
        raise SystemExit("the planted pairs are not what they should be")
    say(f"{len(made.texts)} documents, {len(true)} pairs at {THRESHOLD} or more, of which {len(planted)} are planted")
    near = true_pairs(made.texts, 0.3)
    claims = {
        "documents": len(made.texts),
        "mean_characters": sum(map(len, made.texts)) / len(made.texts),
        "true_pairs": len(true),
        "unrelated_pairs_above_0.3": len(near - planted - set(made.close)),
        **against_datasketch(made.texts, true),
    }
    for name in ("million", "letters"):
        child = subprocess.run([sys.executable, __file__, name, str(work)], stdout=subprocess.PIPE, text=True, check=True)
        claims |= json.loads(child.stdout)
    return {key: round(value, 4) for key, value in claims.items()}


if __name__ == "__main__":
    print(json.dumps({"million": million, "letters": letters}[sys.argv[1]](Path(sys.argv[2]))))
