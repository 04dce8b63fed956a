"""Train, validation and test: stratified by label, whole clusters and groups on one side, the same for the same seed."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Sequence

from hatrack.data.duplicates.clusters import clusters
from hatrack.data.records import Example

__all__ = ["split_examples"]


def split_examples(examples: Sequence[Example], shares: Sequence[float], seed: int, threshold: float) -> list[list[Example]]:
    """Divide ``examples`` into ``len(shares)`` parts.

    Near-duplicates and rows of one group stay together, so no part can be answered from memory of another. Within
    that, every label is spread in proportion to ``shares``; a label with one cluster only goes to the first part. What
    rounding takes from a part in one label, up to one row, it gets back in the next, so that many small labels fill
    every part as few large ones do.
    """
    total = sum(shares)
    units = _units(examples, threshold)
    by_label: dict[str, list[list[int]]] = defaultdict(list)
    for unit in units:
        label = Counter(examples[i].label for i in unit).most_common(1)[0][0]
        by_label[label].append(unit)
    parts: list[list[int]] = [[] for _ in shares]
    rng = random.Random(seed)
    owed = [0.0] * len(shares)
    for label in sorted(by_label):
        pool = by_label[label]
        rng.shuffle(pool)
        pool.sort(key=len, reverse=True)  # large clusters first, while there is room to balance them
        rows = sum(len(unit) for unit in pool)
        due = [share / total * rows + debt for share, debt in zip(shares, owed, strict=True)]
        filled = [0.0] * len(shares)
        for unit in pool:
            # the part that lacks most of its share; the first part wins ties, so rare labels can be learned at all
            lack = [wanted - done for wanted, done in zip(due, filled, strict=True)]
            part = 0 if not filled[0] else max(range(len(shares)), key=lambda p: (lack[p], -p))
            parts[part] += unit
            filled[part] += len(unit)
        owed = [max(-1.0, min(1.0, wanted - done)) for wanted, done in zip(due, filled, strict=True)]
    return [[examples[i] for i in sorted(part)] for part in parts]


def _units(examples: Sequence[Example], threshold: float) -> list[list[int]]:
    """Row numbers that must stay together: one list for each connected set of clusters and groups."""
    cluster = clusters([example.text for example in examples], threshold)
    root: dict[str, str] = {}

    def find(key: str) -> str:
        while root.setdefault(key, key) != key:
            key = root[key]
        return key

    for number, example in zip(cluster, examples, strict=True):
        if example.group:
            root[find(f"group {example.group}")] = find(f"cluster {number}")
    units: dict[str, list[int]] = defaultdict(list)
    for i, number in enumerate(cluster):
        units[find(f"cluster {number}")].append(i)
    return list(units.values())
