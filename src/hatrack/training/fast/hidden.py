"""Hidden states of frozen blocks, computed once for each row and kept on disk as one memory-mapped file."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
import torch

from hatrack.core.atomic import staged_folder
from hatrack.models.encoder import pad_right
from hatrack.training.fast.layout import Layout

__all__ = ["CODE", "HiddenStates", "Rows", "build_states", "make_room", "open_states"]

CODE = "hidden/1"  # part of the key: another way of computing or storing them is another file (F15)
_FILE = "states.npy"
_BATCH = 2048  # tokens in one pass through the frozen blocks

Compute = Callable[[torch.Tensor, torch.Tensor, int], tuple[torch.Tensor, torch.Tensor]]


@dataclass(frozen=True)
class Rows:
    """Distinct rows of tokens, all of which begin with the same ``shared`` ones.

    Attributes:
        ids: each distinct row once, longest first.
        shared: how many tokens all of them begin with; their states are kept once.
    """

    ids: tuple[tuple[int, ...], ...]
    shared: int

    @classmethod
    def of(cls, rows: Sequence[tuple[int, ...]], shared: int) -> Rows:
        """Rows that occur twice are kept once."""
        return cls(tuple(sorted(set(rows), key=lambda ids: (-len(ids), ids))), shared)

    @property
    def tokens(self) -> int:
        """How many states are kept."""
        return self.shared + sum(len(ids) - self.shared for ids in self.ids)


class HiddenStates:
    """States ``[tokens, d]`` of all rows, found by the rows' tokens.

    Attributes:
        depth: how many blocks they have passed.
    """

    def __init__(self, rows: Rows, array: Any, depth: int) -> None:
        self.depth = depth
        self._shared = rows.shared
        self._array = array
        starts = accumulate((len(ids) - rows.shared for ids in rows.ids), initial=rows.shared)
        self._starts = {_key(ids): start for ids, start in zip(rows.ids, starts, strict=False)}

    def line(self, layout: Layout) -> torch.Tensor:
        """``[1, total, d]`` for a packed batch."""
        common = layout.ids[: layout.shared].tolist()
        own = layout.ids[layout.shared :].tolist()
        ends = list(accumulate(layout.lengths))
        rows = [common + own[end - length : end] for end, length in zip(ends, layout.lengths, strict=True)]
        parts = [self._span(rows[0], 0, layout.shared), *(self._span(row, layout.shared, len(row)) for row in rows)]
        parts.append(np.zeros((layout.spare, self._array.shape[1]), np.float32))
        return torch.from_numpy(np.concatenate(parts)).to(layout.ids.device)[None]

    def grid(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """``[n, t, d]`` for a padded batch, zero on padding: what stands there is seen by nobody."""
        lengths = mask.sum(1).tolist()
        out = torch.zeros(*ids.shape, self._array.shape[1])
        for i, length in enumerate(lengths):
            out[i, :length] = torch.from_numpy(self._span(ids[i, :length].tolist(), 0, length))
        return out.to(ids.device)

    def _span(self, row: Sequence[int], start: int, stop: int) -> Any:
        at = self._starts[_key(row)] - self._shared
        first = self._array[min(start, self._shared) : min(stop, self._shared)]
        return np.concatenate([first, self._array[at + max(start, self._shared) : at + max(stop, self._shared)]])


def open_states(folder: Path, rows: Rows, depth: int, compute: Compute) -> HiddenStates | None:
    """States that are on disk already, if they are those that ``compute`` would give.

    The shortest row is computed again: a base that is loaded in another way (quantised) has the same fingerprint.
    """
    path = folder / _FILE
    if not path.is_file():
        return None
    array = np.load(path, mmap_mode="r", allow_pickle=False)
    if len(array) != rows.tokens:
        return None
    common, own = compute(*pad_right([rows.ids[-1]], 0), rows.shared)
    fresh = torch.cat([common, own]).float().cpu().numpy()
    states = HiddenStates(rows, array, depth)
    kept = states.grid(*pad_right([rows.ids[-1]], 0))[0].numpy()
    same = np.linalg.norm(fresh - kept) <= 1e-4 * np.linalg.norm(fresh)
    if not same:
        return None
    os.utime(folder)  # the oldest go first when room is needed
    return states


def make_room(home: Path, size: int, limit: float) -> float:
    """Remove the states that were not used for longest until ``size`` bytes more keep to ``limit``; returns what may be written."""
    home.mkdir(parents=True, exist_ok=True)
    kept = sorted((folder for folder in home.iterdir() if folder.is_dir()), key=lambda folder: folder.stat().st_mtime)
    sizes = [sum(file.stat().st_size for file in folder.iterdir()) for folder in kept]
    for folder, freed in zip(kept, list(sizes), strict=True):
        if size > limit or sum(sizes) + size <= limit:
            break
        shutil.rmtree(folder, ignore_errors=True)  # a run that reads it keeps it until its end, as any file on POSIX
        sizes.remove(freed)
    return min(limit, shutil.disk_usage(home).free * 0.9)


def build_states(folder: Path, rows: Rows, width: int, depth: int, compute: Compute, advance: Callable[[int], None]) -> HiddenStates:
    """Compute and keep the states of all rows; the folder appears when it is whole.

    Raises:
        StorageError: disk full, or not writable.
    """
    with staged_folder(folder) as staging:
        array = np.lib.format.open_memmap(staging / _FILE, "w+", np.float32, (rows.tokens, width))
        at = rows.shared
        for batch in _batches(rows):
            common, own = compute(*pad_right(batch, 0), rows.shared)
            array[: rows.shared] = common.float().cpu().numpy()
            array[at : at + len(own)] = own.float().cpu().numpy()
            at += len(own)
            advance(len(batch))
        array.flush()
        del array
    return HiddenStates(rows, np.load(folder / _FILE, mmap_mode="r", allow_pickle=False), depth)


def _batches(rows: Rows) -> list[list[tuple[int, ...]]]:
    """In the order of the rows, so that the states of a batch stand together in the file."""
    batches: list[list[tuple[int, ...]]] = [[]]
    for ids in rows.ids:
        if batches[-1] and (len(batches[-1]) + 1) * (len(batches[-1][0]) - rows.shared) > _BATCH:
            batches.append([])
        batches[-1].append(ids)
    return batches


def _key(row: Sequence[int]) -> bytes:
    return np.asarray(row, dtype=np.int64).tobytes()
