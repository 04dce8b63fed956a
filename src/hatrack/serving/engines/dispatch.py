"""A backend made into an engine: who waits, who is next, which adapters are there, and one thread for each answer.

    submit ─► line ─► admit, fairest first ─► a thread: place of the adapter ─► tokens ─► text ─► events

Text, stop strings, limits and events come from ``Answer``, as with the embedded engine; a backend only gives tokens.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from pathlib import Path

from hatrack.core.errors import EngineError, RequestError
from hatrack.core.lineage import Manifest
from hatrack.core.names import BASE
from hatrack.models.adapters.probe import read_probe
from hatrack.serving.answer import Answer, Constraint
from hatrack.serving.engines.backend import Backend, Step, Told
from hatrack.serving.engines.base import EngineParts, Residence
from hatrack.serving.engines.effect import verify_effect
from hatrack.serving.engines.places import Places
from hatrack.serving.engines.told import HeardText
from hatrack.serving.line import WaitingLine
from hatrack.serving.request import Request, TokenChoice
from hatrack.serving.statistics import Statistics

__all__ = ["Dispatcher"]


class Dispatcher:
    """See ``hatrack.serving.engines.base.ServingEngine``."""

    def __init__(self, backend: Backend, parts: EngineParts) -> None:
        self.settings = parts.settings
        self.statistics = Statistics()
        self._backend = backend
        self._folder = parts.folder
        self._decode = parts.renderer.decode
        self._stop_ids = parts.renderer.stop_ids
        self._line = WaitingLine(self.settings.queue, self.settings.share, self.settings.patience)
        self._places = Places(self.settings.slots, self._fill)
        self._verified: set[str] = set()
        self._running: list[Answer] = []
        self._reserved: str | None = None
        self._work = threading.Condition()
        self._state = "new"
        self._rows = self.settings.rows

    def start(self) -> None:
        self._rows = min(self.settings.rows, self._backend.open())
        self._workers = ThreadPoolExecutor(self._rows, thread_name_prefix="hatrack-answers")
        self._state = "open"

    def stop(self, *, drain: bool = True, timeout: float = 60.0) -> None:
        with self._work:
            if self._state != "open":
                return
            self._state = "closed"
            if drain:
                self._work.wait_for(lambda: not self._running and not len(self._line), timeout)
            for digest in self._line.waiting():
                for answer in self._line.drop(digest):
                    answer.finish("cancelled")
            for answer in self._running:
                answer.request.cancel()
        self._workers.shutdown(wait=True)
        self._places.close()
        self._backend.close()

    def takes(self, folder: Path) -> bool:
        return self._backend.takes(folder)

    def submit(self, request: Request, constraint: Constraint | None = None) -> None:
        """See the Protocol. The constraint stays here: a schema is enforced where the tokens are made."""
        request.must_fit(self.settings.context)
        answer = Answer(request, HeardText(self._decode, request.params.stop), self._stop_ids)
        with self._work:
            if self._state != "open":
                raise RequestError("the server is shutting down", fix="try again when it is up")
            self._line.push(answer, self.statistics.retry_after(len(self._line)))
            self._admit()

    def load(self, manifest: Manifest) -> None:
        self._workers.submit(self._visit, manifest)

    def unload(self, digest: str) -> bool:
        return self._places.remove(digest)

    def pin(self, manifest: Manifest) -> bool:
        if not self._places.pin(manifest.digest):
            return False
        self.load(manifest)
        return True

    def unpin(self, digest: str) -> None:
        self._places.unpin(digest)

    def waiting(self) -> dict[str, int]:
        with self._work:
            return self._line.waiting()

    def running(self) -> Counter[str]:
        return Counter(answer.request.digest for answer in list(self._running))

    def residence(self) -> Residence:
        return replace(self._places.residence(), servers=self._backend.servers())

    def _admit(self) -> None:
        """Begin what can begin, fairest first; the caller holds the lock."""
        for answer in self._line.drop_cancelled():
            answer.finish("cancelled")
        now = time.monotonic()
        running = self.running()
        most = max(1, int(self._rows * self.settings.share))
        self._reserve(running, now)
        progress = True
        while progress:
            progress = False
            for digest in list(self._line.order(running, now)):
                if len(self._running) >= self._rows:
                    return
                kept_back = self._reserved is not None and digest not in (BASE, self._reserved)
                if running[digest] >= most or kept_back or self._lacks_place(digest, running):
                    continue
                self._begin(self._line.pop(digest))
                running[digest] += 1
                progress = True
                if digest == self._reserved:
                    self._reserved = None

    def _reserve(self, running: Counter[str], now: float) -> None:
        """Whose adapter has waited too long for a place gets the next one; until then no other adapter begins anything (F26)."""
        if self._reserved not in self._line.waiting():
            lacking = (d for d in self._line.order(running, now) if self._lacks_place(d, running) and self._line.overdue(d, now))
            self._reserved = next(lacking, None)

    def _lacks_place(self, digest: str, running: Counter[str]) -> bool:
        return digest != BASE and not running[digest] and len(running.keys() - {BASE}) >= self.settings.slots

    def _begin(self, answer: Answer) -> None:
        self._running.append(answer)
        answer.started = time.monotonic()
        self._workers.submit(self._serve, answer)

    def _serve(self, answer: Answer) -> None:
        with ExitStack() as end:
            end.push(lambda kind, error, trace: self._done(answer, error))  # whatever happens, the answer ends
            self._answer(answer)

    def _answer(self, answer: Answer) -> None:
        with self._place(answer.request.manifest) as place, closing(self._backend.stream(answer.request, place)) as steps:
            for step in steps:
                if answer.request.cancelled:
                    answer.finish("cancelled")
                else:
                    _take(answer, step)
                if answer.over:
                    return
        raise EngineError(f"the {self._backend.name} server ended an answer without saying why", fix="look at its log, and ask again")

    def _done(self, answer: Answer, error: BaseException | None) -> None:
        now = time.monotonic()
        with self._work:
            if not answer.over:
                answer.fail(error if isinstance(error, Exception) else RuntimeError(str(error)))
            new = len(answer.ids) - len(answer.request.prompt)
            self.statistics.step(len(answer.ids), new, (now - answer.started) / len(self._running))  # its share of the time
            self.statistics.finished(answer)
            self._running.remove(answer)
            self._admit()
            self._work.notify_all()

    @contextmanager
    def _place(self, manifest: Manifest | None) -> Iterator[int]:
        if manifest is None:
            yield 0
            return
        with self._places.using(manifest) as place:
            yield place

    def _visit(self, manifest: Manifest) -> None:
        with self._places.using(manifest):
            pass

    def _fill(self, manifest: Manifest, place: int) -> None:
        """Put an adapter into a place; the first time, it answers its probe there (F18)."""
        folder = self._folder(manifest)
        self._backend.load(manifest, place)
        if manifest.digest not in self._verified:
            verify_effect(read_probe(folder), self._backend, place)
            self._verified.add(manifest.digest)


def _take(answer: Answer, step: Step) -> None:
    if isinstance(step, str):
        answer.finish(step)
    elif isinstance(step, TokenChoice):
        answer.accept(step)
    else:
        _hear(answer, step)


def _hear(answer: Answer, told: Told) -> None:
    for n, token in enumerate(told.tokens, 1):
        if n == len(told.tokens) and isinstance(answer.stream, HeardText):
            answer.stream.hear(told.text)
        answer.accept(TokenChoice(token, 0.0))
        if answer.over:
            return
