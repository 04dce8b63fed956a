"""Continuous batching over mixed adapters: one thread owns the base, and every step runs whatever is there to run.

    submit ─► line ─► admit: a slot for the adapter, blocks for keys and values, a row
                        │                                  ▲ loads, in another thread
                        ▼
                      step: one token of every running answer, and a chunk of the prompts of new ones

Iteration-level scheduling as in Orca (Yu et al. 2022), unified for prefill and decode. A row, once admitted, has all
the memory it can need, so nothing that runs is ever thrown out again.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch

from hatrack.core.errors import RequestError
from hatrack.core.lineage import Manifest
from hatrack.core.threads import give_back_threads
from hatrack.serving.answer import Answer, Constraint
from hatrack.serving.decoder.block import Tokens
from hatrack.serving.decoder.model import Decoder
from hatrack.serving.engines.base import Residence
from hatrack.serving.kv import KVBlocks, blocks_for
from hatrack.serving.line import WaitingLine
from hatrack.serving.loader import Loader
from hatrack.serving.request import Request, TokenChoice
from hatrack.serving.settings import EngineSettings
from hatrack.serving.slots import mixes
from hatrack.serving.statistics import Statistics
from hatrack.serving.text_stream import TextStream
from hatrack.serving.turns import Turns

__all__ = ["Engine"]


class Engine:
    """Answers requests for the base and for any adapter whose matrices the kernels mix. Thread-safe where it says so."""

    def __init__(
        self,
        decoder: Decoder,
        kv: KVBlocks,
        loader: Loader,
        settings: EngineSettings,
        decode: Callable[[Sequence[int]], str],
        stop_ids: frozenset[int],
    ) -> None:
        self.settings = settings
        self.statistics = Statistics()
        self.loader = loader
        self._decoder = decoder
        self._kv = kv
        self._decode = decode
        self._stop_ids = stop_ids
        self._line = WaitingLine(settings.queue, settings.share, settings.patience)
        self._turns = Turns(settings.patience)
        self._running: list[Answer] = []
        self._work = threading.Condition()
        self._state = "new"
        self._thread = threading.Thread(target=self._loop, name="hatrack-engine", daemon=True)

    def warm(self) -> None:
        """Run one token, so that the kernels are compiled, or read from their cache, before anybody waits for them."""
        self._probe([[0]], 0)

    def start(self) -> None:
        """Begin to answer."""
        give_back_threads()  # whoever read the base and warmed up here: from now on another thread computes
        self._state = "open"
        self._thread.start()

    def stop(self, *, drain: bool = True, timeout: float = 60.0) -> None:
        """Take no more requests; finish those that were taken, or cancel them, and end. Safe from any thread."""
        with self._work:
            self._state = "draining" if drain else "closed"
            self._work.notify()
        self._thread.join(timeout)
        if self._thread.is_alive():
            with self._work:
                self._state = "closed"
                self._work.notify()
            self._thread.join()
        self.loader.close()

    def submit(self, request: Request, constraint: Constraint | None = None) -> None:
        """Take a request, or refuse it before anything is computed. Safe from any thread.

        Raises:
            Busy: too many are waiting. RequestError: it is longer than the context, or the engine ends.
        """
        request.must_fit(self.settings.context)
        stream = TextStream(self._decode, request.params.stop)
        answer = Answer(request, stream, self._stop_ids, constraint)
        with self._work:
            if self._state != "open":
                raise RequestError("the server is shutting down", fix="try again when it is up")
            self._line.push(answer, self.statistics.retry_after(len(self._line)))
            self._work.notify()

    def takes(self, folder: Path) -> bool:
        """Whether the kernels mix the adapter in ``folder``. Safe from any thread."""
        return mixes(folder, self.loader.memory)

    def load(self, manifest: Manifest) -> None:
        """Begin to load an adapter before anybody asks for it; nothing happens when it is there. Safe from any thread."""
        with self._work:
            self.loader.request(manifest)
            self._work.notify()

    def unload(self, digest: str) -> bool:
        """Give an adapter's slot back; False while it runs or when it has none. Safe from any thread."""
        with self._work:
            return self.loader.residency.remove(digest)

    def pin(self, manifest: Manifest) -> bool:
        """Load an adapter and keep it; False where no slot would be left for the others. Safe from any thread."""
        with self._work:
            if not self.loader.residency.pin(manifest.digest):
                return False
        self.load(manifest)
        return True

    def unpin(self, digest: str) -> None:
        """Let an adapter give way again. Safe from any thread."""
        with self._work:
            self.loader.residency.pinned.discard(digest)

    def residence(self) -> Residence:
        """Where adapters are just now. Safe from any thread."""
        with self._work:
            known = self.loader.residency
            return Residence(self.loader.published, self.loader.loading, set(known.pinned), dict(known.loads), dict(known.evictions))

    def waiting(self) -> dict[str, int]:
        """How many requests wait, by digest. Safe from any thread."""
        with self._work:
            return self._line.waiting()

    def running(self) -> Counter[str]:
        """How many answers are being made, by digest. Safe from any thread."""
        return Counter(answer.request.digest for answer in list(self._running))

    def _loop(self) -> None:
        while True:
            with self._work:
                while self._state == "open" and not len(self._line) and not self._running and not self.loader.finished():
                    self._work.wait(0.1)
                if self._state == "closed" or (self._state == "draining" and not len(self._line) and not self._running):
                    break
                self._admit()
            self._verify()
            if not self._running:
                self.loader.wait(0.002)  # everybody waits for an adapter
                continue
            try:
                self._step()
            except Exception as error:  # the fault of one step must not end the service; its sequences are told
                for answer in self._running:
                    answer.fail(error)
            self._leave()
        for answer in (*self._running, *(s for d in self._line.waiting() for s in self._line.drop(d))):
            answer.finish("cancelled")

    def _admit(self) -> None:
        """Bring in who can run, fairest first; the caller holds the lock."""
        for answer in self._line.drop_cancelled():
            answer.finish("cancelled")
        self.loader.forgotten(self._line.waiting())
        now = time.monotonic()
        running = self.running()
        most = max(1, int(self.settings.rows * self.settings.share))
        progress = True
        while progress and len(self._running) < self.settings.rows:
            progress = False
            for digest in list(self._line.order(running, now)):
                if len(self._running) >= self.settings.rows:
                    break
                if running[digest] >= most or not self._ready(digest, now):
                    continue
                if not self._enter(self._line.head(digest)):
                    return  # memory is full: nobody overtakes
                self._line.pop(digest)
                running[digest] += 1
                progress = True

    def _ready(self, digest: str, now: float) -> bool:
        """Whether an adapter's weights lie in a slot; where they do not, see to it."""
        manifest = self._line.head(digest).request.manifest
        if manifest is None:
            return True
        error = self.loader.failure(digest)
        if error is not None:
            for answer in self._line.drop(digest):
                answer.fail(error)
            return False
        return self.loader.ready(manifest, urgent=self._line.overdue(digest, now))

    def _enter(self, answer: Answer) -> bool:
        request = answer.request
        answer.chain = self._kv.open(request.digest, request.tenant, request.prompt, answer.longest)
        if answer.chain is None:
            return False
        answer.computed = answer.chain.shared_tokens
        if request.manifest is not None:
            answer.slot = self.loader.residency.use(request.digest)
            self.loader.settle(request.digest)
        answer.started = time.monotonic()
        self._running.append(answer)
        return True

    def _verify(self) -> None:
        """Let adapters that were loaded for the first time answer their probe, between two steps (F18)."""
        for loaded in self.loader.finished():
            self.loader.publish(loaded, lambda rows, slot: self._probe(rows, slot))

    def _probe(self, rows: Sequence[Sequence[int]], slot: int) -> torch.Tensor:
        """Logits after each row, in blocks of their own: the shared ones may all be taken."""
        kv = KVBlocks(self._decoder.shape, sum(blocks_for(len(ids)) for ids in rows), half=self._kv.half)
        chains = [kv.open("", "", ids, len(ids)) for ids in rows]
        parts = [_Part(ids, 0, len(ids), chain.blocks, slot) for ids, chain in zip(rows, chains, strict=True) if chain]
        return self._decoder.step(_tokens(parts), kv, self.loader.memory)

    def _step(self) -> None:
        """One token of every answer; prompts share ``chunk``."""
        begin = time.monotonic()
        left = self.settings.chunk
        parts, active = [], []
        for answer in self._turns.take(self._running, begin):
            todo = len(answer.ids) - answer.computed
            count = 1 if todo == 1 else min(todo, left)
            if count == 0 or answer.chain is None:
                continue
            left -= count if todo > 1 else 0
            parts.append(_Part(answer.ids, answer.computed, count, answer.chain.blocks, answer.slot))
            active.append(answer)
        tokens = _tokens(parts)
        logits = self._decoder.step(tokens, self._kv, self.loader.memory)
        likeliest = logits.numpy().argmax(axis=1).tolist()
        row = 0
        for answer, part in zip(active, parts, strict=True):
            answer.computed += part.count
            if answer.chain is not None:
                self._kv.filled(answer.chain, answer.ids[: answer.computed])
            if answer.computed == len(answer.ids):
                try:
                    answer.accept(TokenChoice(likeliest[row], 0.0) if answer.plain else answer.choose(logits[row]))
                except Exception as error:  # one answer's fault (a grammar, a listener) is not its neighbours'
                    answer.fail(error)
                row += 1
        self.statistics.step(len(tokens.ids), row, time.monotonic() - begin)

    def _leave(self) -> None:
        """Those who are done, or whom nobody waits for, make room."""
        for answer in self._running:
            if answer.request.cancelled and not answer.over:
                answer.finish("cancelled")
            if answer.over:
                if answer.chain is not None:
                    self._kv.close(answer.chain)
                if answer.request.manifest:
                    self.loader.residency.release(answer.request.digest)
                self.statistics.finished(answer)
        self._running = [answer for answer in self._running if not answer.over]


class _Part:
    """``count`` tokens of one answer, from ``start`` on."""

    def __init__(self, ids: Sequence[int], start: int, count: int, blocks: Sequence[int], slot: int) -> None:
        self.ids, self.start, self.count, self.blocks, self.slot = ids, start, count, blocks, slot


def _tokens(parts: Sequence[_Part]) -> Tokens:
    """Tokens in order of their slots, so that one adapter's rows stand together."""
    table = np.zeros((len(parts), max(len(part.blocks) for part in parts)), np.int32)
    for row, part in enumerate(parts):
        table[row, : len(part.blocks)] = part.blocks
    counts = [part.count for part in parts]
    whole = [part.start + part.count == len(part.ids) for part in parts]
    ends = np.cumsum(counts) - 1
    return Tokens(
        ids=np.concatenate([np.asarray(part.ids[part.start : part.start + part.count], np.int32) for part in parts]),
        position=np.concatenate([np.arange(part.start, part.start + part.count, dtype=np.int32) for part in parts]),
        row=np.repeat(np.arange(len(parts), dtype=np.int32), counts),
        slot=np.repeat(np.array([part.slot for part in parts], np.int32), counts),
        table=table,
        wanted=ends[np.array(whole)].astype(np.int64),
    )
