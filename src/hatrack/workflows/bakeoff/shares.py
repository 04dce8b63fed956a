"""Fewer rows of the same kind: what learning curves and limits on rows take."""

from __future__ import annotations

import math
import random
from collections import defaultdict
from dataclasses import replace

import numpy as np

from hatrack.core.digest import sha256_json
from hatrack.data.prepare import Prepared
from hatrack.data.spool import column, subset

__all__ = ["fewer_rows"]


def fewer_rows(prepared: Prepared, count: int, seed: int) -> Prepared:
    """``prepared`` with about ``count`` of its training rows, every label in proportion and none without a row.

    The first rows of a larger share are those of a smaller one, so a curve shows more data and not other data.
    """
    rows = prepared.splits.train
    if count >= len(rows):
        return prepared
    rng = random.Random(seed)
    by_label: dict[str, list[int]] = defaultdict(list)
    for i, label in enumerate(column(rows, "label")):
        by_label[label].append(i)
    chosen: list[int] = []
    for label in sorted(by_label):
        pool = by_label[label]
        rng.shuffle(pool)
        chosen += pool[: max(1, math.floor(len(pool) * count / len(rows) + 0.5))]
    kept = np.array(sorted(chosen), np.int64)
    digest = sha256_json([prepared.record.train_digest, kept.tolist()])
    record = prepared.record.model_copy(update={"train_digest": digest, "digest": sha256_json([prepared.record.digest, digest])})
    return replace(prepared, splits=replace(prepared.splits, train=subset(rows, kept)), record=record)
