"""Adapters into slots, in a thread of their own, so that answers go on meanwhile (F27).

    nowhere ─► loading ─► loaded ─► resident ─► (least recently used) ─► nowhere
               thread     first time: answers its probe

Files are read, checked and copied by the thread; the engine's own thread only publishes what is whole.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Container, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import torch

from hatrack.core.errors import AdapterError
from hatrack.core.lineage import Manifest
from hatrack.core.threads import give_back_threads
from hatrack.models.adapters.probe import Probe, read_probe
from hatrack.serving.residency import Residency
from hatrack.serving.slots import AdapterMemory, pack_lora

__all__ = ["Loaded", "Loader"]


@dataclass(frozen=True)
class Loaded:
    """What the thread has done: an adapter in its slot, or why not. ``probe`` is None when it answered it before."""

    digest: str
    slot: int
    seconds: float
    probe: Probe | None = None
    error: Exception | None = None


class Loader:
    """Slots and who is on the way into them. Owned by the engine's thread, but for its own worker.

    Attributes:
        seconds: how long the last loads took.
    """

    def __init__(self, memory: AdapterMemory, residency: Residency, folder: Callable[[Manifest], Path], *, exact: bool) -> None:
        """``exact``: whether the base is in full precision, so that probes must be answered to the digit."""
        self.memory = memory
        self.residency = residency
        self.seconds: deque[float] = deque(maxlen=1000)
        self._folder = folder
        self._exact = exact
        self._workers = ThreadPoolExecutor(1, thread_name_prefix="hatrack-loader")
        self._done: deque[Loaded] = deque()
        self._signal = threading.Event()
        self._loading: set[str] = set()
        self._published: set[str] = set()
        self._verified: set[str] = set()
        self._reserved: set[str] = set()
        self._draining: str | None = None
        self._failures: dict[str, Exception] = {}

    @property
    def published(self) -> list[str]:
        """Digests of the adapters that can run now."""
        return [digest for digest in self.residency.resident if digest in self._published]

    @property
    def loading(self) -> list[str]:
        """Digests on the way."""
        return list(self._loading)

    def ready(self, manifest: Manifest, *, urgent: bool = False) -> bool:
        """Whether an adapter can run now; where it cannot, see to it that it will.

        Args:
            urgent: somebody has waited too long; the adapter longest in its slot takes no new answers until it can go.
        """
        digest = manifest.digest
        if digest == self._draining:
            return False
        if digest in self._published and self.residency.slot(digest) is not None:
            return True
        if digest not in self._loading and not self.request(manifest) and urgent and self._draining is None:
            kept = self.residency.pinned | self._reserved  # who has yet to begin its first answer must not be kept from it
            self._draining = next((d for d in self.residency.resident if d not in kept), None)
        return False

    def request(self, manifest: Manifest) -> bool:
        """Begin to load an adapter; False while there is no slot for it."""
        digest = manifest.digest
        if digest in self._loading or (digest in self._published and self.residency.slot(digest) is not None):
            return True
        slot = self.residency.place(digest)
        if slot is None:
            return False
        self.residency.use(digest)  # nobody else gets the slot before its first answer has begun
        self._reserved.add(digest)
        self._draining = None
        self._published.discard(digest)
        self._loading.add(digest)
        self._workers.submit(self._load, manifest, slot)
        return True

    def settle(self, digest: str) -> None:
        """An adapter's first answer has begun, or nobody waits for it: from now on its use alone keeps it in its slot."""
        if digest in self._reserved:
            self._reserved.discard(digest)
            self.residency.release(digest)

    def forgotten(self, waiting: Container[str]) -> None:
        """Settle the adapters that are resident and that nobody waits for any more."""
        for digest in self._reserved & self._published:
            if digest not in waiting:
                self.settle(digest)

    def failure(self, digest: str) -> Exception | None:
        """Why the last load of an adapter failed; told once."""
        return self._failures.pop(digest, None)

    def finished(self) -> list[Loaded]:
        """What the thread has done and nobody has published yet."""
        return list(self._done)

    def wait(self, seconds: float) -> None:
        """Until something is done, or the time is over."""
        self._signal.wait(seconds)
        self._signal.clear()

    def publish(self, loaded: Loaded, answer: Callable[[Sequence[Sequence[int]], int], torch.Tensor]) -> None:
        """Let an adapter run that is whole and acts as it did at training.

        Args:
            answer: gives the logits after each row of ids with the adapter in a slot, or with the base in slot 0.
        """
        self._done.remove(loaded)
        self._loading.discard(loaded.digest)
        error = loaded.error
        probe = loaded.probe
        if error is None and probe is not None:
            try:
                adapted = answer(probe.inputs, loaded.slot)
                if self._exact:
                    probe.check(adapted)
                else:
                    probe.check_effect(adapted, answer(probe.inputs, 0))
                self._verified.add(loaded.digest)
            except Exception as broken:  # whatever it is, this adapter must not answer
                error = broken
        if error is None:
            self._published.add(loaded.digest)
            self.seconds.append(loaded.seconds)
        else:
            self.settle(loaded.digest)
            self.residency.remove(loaded.digest)
            self._failures[loaded.digest] = error

    def close(self) -> None:
        """End the thread."""
        self._workers.shutdown(wait=True, cancel_futures=True)

    def _load(self, manifest: Manifest, slot: int) -> None:
        begin = time.monotonic()
        probe: Probe | None = None
        error: Exception | None = None
        try:
            folder = self._folder(manifest)
            packed = pack_lora(folder, self.memory.shape)
            if packed is None or not self.memory.fits(packed):
                raise _no_room(manifest)  # noqa: TRY301  # told to those who wait, like every other fault
            self.memory.write(slot, packed)
            if manifest.digest not in self._verified:
                probe = read_probe(folder)
        except Exception as failed:  # told to those who wait for it
            error = failed
        self._done.append(Loaded(manifest.digest, slot, time.monotonic() - begin, probe, error))
        self._signal.set()
        self.memory.settle(slot)
        give_back_threads()


def _no_room(manifest: Manifest) -> AdapterError:
    return AdapterError("this adapter does not fit into a slot", given=manifest.name, fix="raise serve.rank, and start the server again")
