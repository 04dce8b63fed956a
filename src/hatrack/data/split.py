"""Train, validation and test: stratified by label, whole clusters and groups on one side, the same for the same seed."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from hatrack.data.duplicates.clusters import clusters
from hatrack.data.duplicates.disjoint import DisjointSets
from hatrack.data.progress import Progress, silent
from hatrack.data.records import Example
from hatrack.data.spool import column, subset

__all__ = ["group_numbers", "label_numbers", "split_examples", "split_indices"]


def split_examples(
    examples: Sequence[Example], shares: Sequence[float], seed: int, threshold: float, progress: Progress = silent
) -> list[Sequence[Example]]:
    """Divide ``examples`` into ``len(shares)`` parts; views where the examples are on disk. See ``split_indices``."""
    labels, _ = label_numbers(column(examples, "label"))
    groups = group_numbers(column(examples, "group"))
    cluster = np.asarray(clusters(column(examples, "text"), threshold, progress), dtype=np.int64)
    return [subset(examples, part) for part in split_indices(labels, groups, cluster, shares, seed)]


def split_indices(
    labels: NDArray[np.int64], groups: NDArray[np.uint64], cluster: NDArray[np.int64], shares: Sequence[float], seed: int
) -> list[NDArray[np.int64]]:
    """The rows of each of ``len(shares)`` parts, ascending.

    Near-duplicates and rows of one group stay together, so no part can be answered from memory of another. Within
    that, every label is spread in proportion to ``shares``; a label with one cluster only goes to the first part. What
    rounding takes from a part in one label, up to one row, it gets back in the next, so that many small labels fill
    every part as few large ones do.

    Args:
        labels: [rows] as ``label_numbers`` gives them: in the order of the labels' names.
        groups: [rows] as ``group_numbers`` gives them: 0 is no group.
        cluster: [rows] the smallest row of the cluster of each row.
        shares: how large the parts are, in proportion.
        seed: decides which clusters go where.
    """
    unit, sizes, majority = _units(labels, groups, cluster)
    total = sum(shares)
    rng = random.Random(seed)
    owed = [0.0] * len(shares)
    home = np.empty(len(sizes), dtype=np.int8)  # the part of each unit
    for label in np.unique(majority):
        pool = np.flatnonzero(majority == label).tolist()
        rng.shuffle(pool)
        pool.sort(key=sizes.__getitem__, reverse=True)  # large clusters first, while there is room to balance them
        rows = int(sizes[pool].sum())
        due = [share / total * rows + debt for share, debt in zip(shares, owed, strict=True)]
        filled = [0.0] * len(shares)
        for one in pool:
            # the part that lacks most of its share; the first part wins ties, so rare labels can be learned at all
            lack = [wanted - done for wanted, done in zip(due, filled, strict=True)]
            home[one] = part = 0 if not filled[0] else max(range(len(shares)), key=lambda p: (lack[p], -p))
            filled[part] += int(sizes[one])
        owed = [max(-1.0, min(1.0, wanted - done)) for wanted, done in zip(due, filled, strict=True)]
    return [np.flatnonzero(home[unit] == part) for part in range(len(shares))]


def label_numbers(labels: Iterable[str]) -> tuple[NDArray[np.int64], list[str]]:
    """The place of each label among the names of all labels, sorted; and the names."""
    seen: dict[str, int] = {}
    numbers = np.fromiter((seen.setdefault(label, len(seen)) for label in labels), dtype=np.int64)
    names = sorted(seen)
    place = np.empty(len(names), dtype=np.int64)
    place[[seen[name] for name in names]] = np.arange(len(names))
    return place[numbers], names


def group_numbers(groups: Iterable[str]) -> NDArray[np.uint64]:
    """A 64-bit hash of each group's name: 0 for rows without a group, never 0 for others."""
    return np.fromiter((_group_hash(group) if group else 0 for group in groups), dtype=np.uint64)


def _group_hash(group: str) -> int:
    digest = hashlib.blake2b(group.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "little") | 1


def _units(
    labels: NDArray[np.int64], groups: NDArray[np.uint64], cluster: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """What must stay together, connected by clusters and groups: the unit of each row; size and commonest label of each unit."""
    sets = DisjointSets(len(cluster))
    for i in np.flatnonzero(cluster != np.arange(len(cluster))).tolist():
        sets.join(i, int(cluster[i]))
    grouped = np.flatnonzero(groups)
    grouped = grouped[np.argsort(groups[grouped], kind="stable")]
    together = groups[grouped[1:]] == groups[grouped[:-1]]
    for i, j in zip(grouped[:-1][together].tolist(), grouped[1:][together].tolist(), strict=True):
        sets.join(i, j)
    _, unit, sizes = np.unique(sets.roots(), return_inverse=True, return_counts=True)
    # of each unit the label that is commonest, or that stands first where two are equally common
    _, first, counts = np.unique(unit * (int(labels.max(initial=0)) + 1) + labels, return_index=True, return_counts=True)
    order = np.lexsort((first, -counts, unit[first]))
    _, lead = np.unique(unit[first[order]], return_index=True)
    return unit, sizes, labels[first[order[lead]]]
