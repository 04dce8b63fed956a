"""Memory that the kernels read as one stream: from the beginning of a page, and in large pages where that pays.

A page is taken when it is first written. A processor that reads ahead stops at the end of each; what is read from beginning to
end at every step is read faster from pages of 2 MB, where the system has them. These take four times as long to be had: the
base's weights lie in them from the start, an adapter, for which somebody waits, is written into pages of 4 kB, which become
large ones when it has been written (``enlarge``).
"""

from __future__ import annotations

import ctypes
import mmap
import sys
from collections.abc import Sequence
from contextlib import suppress
from math import prod

import numpy as np

__all__ = ["Room", "enlarge", "zeros"]

_LINE = 64  # bytes that a processor reads at once
_LARGE = 2 << 20
_COLLAPSE = 25  # MADV_COLLAPSE of Linux 6.1, which Python's mmap does not name


def zeros(shape: Sequence[int], kind: type[np.generic], *, large: bool = False) -> np.ndarray:
    """An array of zeros; ``large``: in large pages."""
    size = max(1, prod(shape) * np.dtype(kind).itemsize)
    held = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)  # shared memory has no large pages
    if large and hasattr(mmap, "MADV_HUGEPAGE"):
        with suppress(OSError):  # a kernel without large pages has the others
            held.madvise(mmap.MADV_HUGEPAGE)
    return np.frombuffer(held, kind, prod(shape)).reshape(shape)


def enlarge(part: np.ndarray, whole: np.ndarray) -> None:
    """Gather the pages below ``part`` of ``whole``, which ``zeros`` made, into large ones; where there are none nothing happens."""
    if sys.platform != "linux":
        return
    first, end = whole.ctypes.data, whole.ctypes.data + whole.nbytes
    begin = max(part.ctypes.data // _LARGE * _LARGE, -(-first // _LARGE) * _LARGE)
    until = min(-(-(part.ctypes.data + part.nbytes) // _LARGE) * _LARGE, end // _LARGE * _LARGE)
    if begin < until:  # refused by older kernels, and where no large page is free: then it stays as it is
        ctypes.CDLL(None).madvise(ctypes.c_void_p(begin), ctypes.c_size_t(until - begin), _COLLAPSE)


class Room:
    """One piece of memory for many arrays, which lie in it in the order in which they were put."""

    def __init__(self, size: int) -> None:
        """``size`` in bytes, each array rounded up to whole lines of 64."""
        self._held = zeros([size], np.uint8, large=True)
        self._end = 0

    def put(self, array: np.ndarray) -> np.ndarray:
        """A copy of ``array``, ``[n]`` uint8, in the room.

        Raises:
            ValueError: it is full.
        """
        place = self._held[self._end : self._end + len(array)]
        if len(place) < len(array):
            raise ValueError(f"{len(array)} bytes do not fit into a room of {len(self._held)}, of which {self._end} are taken")
        place[:] = array
        self._end += -(-len(array) // _LINE) * _LINE
        return place
