"""Which adapter lies in which place of a backend: filled on first use, the longest unused one gives way to the next.

A place is filled in a thread of its own; only those wait who asked for its adapter (F27).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

from hatrack.core.lineage import Manifest
from hatrack.serving.engines.base import Residence
from hatrack.serving.residency import Residency

__all__ = ["Places"]

_FILLERS = 4  # places that are filled at the same time


class Places:
    """Thread-safe."""

    def __init__(self, count: int, fill: Callable[[Manifest, int], None]) -> None:
        """``fill`` puts an adapter into a place, or raises why not."""
        self._residency = Residency(count)
        self._fill = fill
        self._changed = threading.Condition()
        self._fillers = ThreadPoolExecutor(_FILLERS, thread_name_prefix="hatrack-places")
        self._filling: dict[str, Future[None]] = {}
        self._failed: dict[str, BaseException] = {}

    @contextmanager
    def using(self, manifest: Manifest) -> Iterator[int]:
        """The place of an adapter, for as long as the block runs; waits while every place is in use.

        Raises:
            HatrackError: it could not be filled.
        """
        place = self._enter(manifest)
        try:
            filling = self._filling.get(manifest.digest)
            if filling is not None:
                filling.result()
            yield place
        finally:
            self._leave(manifest.digest)

    def remove(self, digest: str) -> bool:
        """Give a place back; False while it is in use or when there is none. What lies there is forgotten, not erased."""
        with self._changed:
            return digest not in self._filling and self._residency.remove(digest)

    def pin(self, digest: str) -> bool:
        """Never let an adapter give way; False where no place would be left for the others."""
        with self._changed:
            return self._residency.pin(digest)

    def unpin(self, digest: str) -> None:
        """Let an adapter give way again."""
        with self._changed:
            self._residency.pinned.discard(digest)
            self._changed.notify_all()

    def residence(self) -> Residence:
        """A snapshot."""
        with self._changed:
            known = self._residency
            here = [digest for digest in known.resident if digest not in self._filling]
            return Residence(here, list(self._filling), set(known.pinned), dict(known.loads), dict(known.evictions))

    def close(self) -> None:
        """End the threads."""
        self._fillers.shutdown(wait=True, cancel_futures=True)

    def _enter(self, manifest: Manifest) -> int:
        digest = manifest.digest
        with self._changed:
            while True:
                if digest in self._failed:
                    raise self._failed[digest]
                place = self._residency.slot(digest)
                if place is not None:
                    self._residency.use(digest)
                    return place
                place = self._residency.place(digest)
                if place is not None:
                    break
                self._changed.wait()
            self._residency.use(digest)
            filling = self._filling[digest] = self._fillers.submit(self._fill, manifest, place)
        filling.add_done_callback(lambda done: self._filled(digest, done))  # may be called at once: not under the lock
        return place

    def _filled(self, digest: str, done: Future[None]) -> None:
        error = None if done.cancelled() else done.exception()
        with self._changed:
            del self._filling[digest]
            if error is not None:
                self._failed[digest] = error  # told to all who wait for it; the next one after them tries again
                self._forget(digest)

    def _leave(self, digest: str) -> None:
        with self._changed:
            self._residency.release(digest)
            if digest in self._failed:
                self._forget(digest)
            self._changed.notify_all()

    def _forget(self, digest: str) -> None:
        if self._residency.remove(digest):
            del self._failed[digest]
