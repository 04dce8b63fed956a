"""The order of rows: shuffled, near-equal lengths together, and a function of seed and epoch alone (F12)."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence

from torch.utils.data import Sampler

from hatrack.training.objectives.base import Item
from hatrack.training.share import Share

__all__ = ["LengthBuckets", "OwnBatches", "length_batches"]

_POOL = 50  # batches in which lengths are sorted: little padding, and still another company for each row every epoch


class LengthBuckets(Sampler[int]):
    """Yields row numbers so that each run of ``batch`` rows has similar lengths.

    Args:
        lengths: tokens of each row.
        batch: rows for one optimizer step, so that accumulation does not change what a step sees (F13).
        epoch: asked at the start of each pass; with it a resumed run repeats the order of the one that was killed.
    """

    def __init__(self, lengths: Sequence[int], batch: int, seed: int, epoch: Callable[[], int]) -> None:
        self._lengths = lengths
        self._batch = batch
        self._seed = seed
        self._epoch = epoch

    def __len__(self) -> int:
        return len(self._lengths)

    def __iter__(self) -> Iterator[int]:
        rng = random.Random(f"{self._seed}/{self._epoch()}")
        order = list(range(len(self._lengths)))
        rng.shuffle(order)
        batches: list[list[int]] = []
        pool = self._batch * _POOL
        for start in range(0, len(order), pool):
            rows = sorted(order[start : start + pool], key=lambda i: self._lengths[i])
            batches += [rows[i : i + self._batch] for i in range(0, len(rows), self._batch)]
        whole = [batch for batch in batches if len(batch) == self._batch]
        rest = [batch for batch in batches if len(batch) < self._batch]
        rng.shuffle(whole)
        for batch in [*whole, *rest]:  # a short batch last, else every batch behind it would be cut elsewhere
            yield from batch


class OwnBatches(Sampler[list[int]]):
    """The batches of row numbers that are one process's share of ``order``; an empty one where a last step has too few rows."""

    def __init__(self, order: LengthBuckets, share: Share) -> None:
        self._order = order
        self._share = share

    def __len__(self) -> int:
        return len(self._share.cut(range(len(self._order))))

    def __iter__(self) -> Iterator[list[int]]:
        yield from self._share.cut(list(self._order))


def length_batches(items: Sequence[Item], size: int) -> list[list[Item]]:
    """All items in batches of similar length, for passes in which no order matters."""
    ordered = sorted(items, key=lambda item: len(item.ids))
    return [ordered[i : i + size] for i in range(0, len(ordered), size)]
