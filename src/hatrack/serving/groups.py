"""What the kernels do not mix: answers on transformers' own modules, in groups of one adapter at a time.

Every method and every architecture is served here: virtual tokens, bottlenecks, changed biases, whole deltas; so are
classifiers, label scores and embeddings, which come as calls between two steps. One thread owns the modules.
"""

from __future__ import annotations

import threading
import time
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any, TypeVar

import torch

from hatrack.core.errors import Busy, RequestError
from hatrack.core.lineage import Manifest
from hatrack.core.names import BASE
from hatrack.core.threads import give_back_threads
from hatrack.models.causal import prefill
from hatrack.models.host import ModelHost
from hatrack.serving.answer import Answer, Constraint
from hatrack.serving.line import WaitingLine
from hatrack.serving.request import Request, TokenChoice
from hatrack.serving.settings import EngineSettings
from hatrack.serving.statistics import Statistics
from hatrack.serving.text_stream import TextStream

__all__ = ["GroupEngine"]

T = TypeVar("T")
_CALLS = 256  # that may wait


class GroupEngine:
    """The same interface as ``hatrack.serving.engine.Engine``, and calls. Thread-safe where that one is."""

    def __init__(
        self,
        open_host: Callable[[], ModelHost],
        folder: Callable[[Manifest], Any],
        settings: EngineSettings,
        decode: Callable[[Sequence[int]], str],
        stop_ids: frozenset[int],
    ) -> None:
        """``open_host`` loads the modules; it is called when the first request comes."""
        self.settings = settings
        self.statistics = Statistics()
        self.loads: Counter[str] = Counter()
        self._open_host = open_host
        self._host: ModelHost | None = None
        self._folder = folder
        self._decode = decode
        self._stop_ids = stop_ids
        self._line = WaitingLine(settings.queue, settings.share, settings.patience)
        self._calls: deque[tuple[Callable[[ModelHost], Any], Manifest | None, Future[Any]]] = deque()
        self._recent: OrderedDict[str, None] = OrderedDict()
        self._running: list[Answer] = []
        self._work = threading.Condition()
        self._state = "new"
        self._thread = threading.Thread(target=self._loop, name="hatrack-groups", daemon=True)

    def start(self) -> None:
        """Begin to answer."""
        self._state = "open"
        self._thread.start()

    def stop(self, *, drain: bool = True, timeout: float = 60.0) -> None:
        """Take no more requests; finish those that were taken, or cancel them, and end. Safe from any thread."""
        for state, patience in (("draining" if drain else "closed", timeout), ("closed", None)):
            with self._work:
                self._state = state
                self._work.notify()
            self._thread.join(patience)
            if not self._thread.is_alive():
                return

    def submit(self, request: Request, constraint: Constraint | None = None) -> None:
        """Take a request, or refuse it before anything is computed. Safe from any thread.

        Raises:
            Busy: too many are waiting. RequestError: it is longer than the context, or the engine ends.
        """
        request.must_fit(self.settings.context)
        answer = Answer(request, TextStream(self._decode, request.params.stop), self._stop_ids, constraint)
        with self._work:
            self._must_be_open()
            self._line.push(answer, self.statistics.retry_after(len(self._line)))
            self._work.notify()

    def call(self, function: Callable[[ModelHost], T], manifest: Manifest | None) -> Future[T]:
        """Run ``function`` with an adapter, or the base, in place, between two steps. Safe from any thread.

        Raises:
            Busy: too many calls are waiting. RequestError: the engine ends.
        """
        future: Future[T] = Future()
        with self._work:
            self._must_be_open()
            if len(self._calls) >= _CALLS:
                wait = self.statistics.retry_after(len(self._calls))
                raise Busy("too many requests are waiting", allowed=str(_CALLS), fix=f"try again in {wait:.0f} s", retry_after=wait)
            self._calls.append((function, manifest, future))
            self._work.notify()
        return future

    def waiting(self) -> dict[str, int]:
        """How many requests wait, by digest. Safe from any thread."""
        with self._work:
            return self._line.waiting()

    def running(self) -> Counter[str]:
        """How many answers are being made, by digest. Safe from any thread."""
        return Counter(answer.request.digest for answer in list(self._running))

    @property
    def resident(self) -> list[str]:
        """Digests of the adapters that lie on the modules."""
        return list(self._recent)

    def _must_be_open(self) -> None:
        if self._state != "open":
            raise RequestError("the server is shutting down", fix="try again when it is up")

    def _loop(self) -> None:
        while True:
            if not len(self._line) and not self._calls:
                give_back_threads()
            with self._work:
                while self._state == "open" and not len(self._line) and not self._calls:
                    self._work.wait(0.1)
                idle = not len(self._line) and not self._calls
                if self._state == "closed" or (self._state == "draining" and idle):
                    break
                group = self._next_group()
            self._next_call()
            if group:
                try:
                    self._answer(group)
                except Exception as error:  # a broken adapter, a failed step: told to those it concerns
                    for answer in group:
                        if not answer.over:
                            answer.fail(error)
                self._running = []
        for answer in [a for digest in self._line.waiting() for a in self._line.drop(digest)]:
            answer.finish("cancelled")
        for _, _, future in self._calls:
            future.cancel()

    def _next_group(self) -> list[Answer]:
        """Up to ``rows`` answers of the adapter whose turn it is; the caller holds the lock."""
        for answer in self._line.drop_cancelled():
            answer.finish("cancelled")
        digest = next(self._line.order({}, time.monotonic()), None)
        group: list[Answer] = []
        while digest is not None and len(group) < self.settings.rows and digest in self._line.waiting():
            group.append(self._line.pop(digest))
        return group

    def _answer(self, group: list[Answer]) -> None:
        manifest = group[0].request.manifest
        for answer in group:
            answer.started = time.monotonic()
        self._running = list(group)
        with self._with(manifest) as host, torch.inference_mode():
            for batch in prefill(host.module, [answer.request.prompt for answer in group]):
                self._decode_batch(host, [group[row] for row in batch.rows], batch)

    def _decode_batch(self, host: ModelHost, rows: list[Answer], batch: Any) -> None:
        """All answers of one prefilled batch, to their ends; those that are over keep their row and are not looked at."""
        logits = batch.logits
        while True:
            chosen = []
            for answer, scores in zip(rows, logits, strict=True):
                if answer.request.cancelled and not answer.over:
                    answer.finish("cancelled")
                if answer.over:
                    chosen.append(0)
                    continue
                choice = TokenChoice(int(scores.argmax()), 0.0) if answer.plain else answer.choose(scores)
                answer.accept(choice)
                chosen.append(choice.token)
                if answer.over:
                    self.statistics.finished(answer)
            if all(answer.over for answer in rows):
                return
            self._next_call()
            begin = time.monotonic()
            batch.mask = torch.cat([batch.mask, torch.ones(len(rows), 1, dtype=torch.long)], dim=1)
            logits = host.module(
                input_ids=torch.tensor(chosen)[:, None],
                attention_mask=batch.mask,
                position_ids=batch.positions[:, None],
                past_key_values=batch.cache,
                use_cache=True,
            ).logits[:, -1]
            batch.positions = batch.positions + 1
            self.statistics.step(len(rows), sum(not answer.over for answer in rows), time.monotonic() - begin)

    def _next_call(self) -> None:
        with self._work:
            if not self._calls:
                return
            function, manifest, future = self._calls.popleft()
        if not future.set_running_or_notify_cancel():
            return
        try:
            with self._with(manifest) as host:
                future.set_result(function(host))
        except BaseException as error:  # goes to whoever asked
            future.set_exception(error)

    def _with(self, manifest: Manifest | None) -> _Using:
        if self._host is None:
            self._host = self._open_host()
        if manifest is not None:
            self._attach(self._host, manifest)
        return _Using(self._host, manifest.digest if manifest else BASE)

    def _attach(self, host: ModelHost, manifest: Manifest) -> None:
        if manifest.digest not in host.adapters:
            keep = {answer.request.digest for answer in self._running}
            while len(self._recent) >= self.settings.slots:
                victim = next((digest for digest in self._recent if digest not in keep), None)
                if victim is None:
                    break
                host.detach(victim)
                del self._recent[victim]
            host.attach(manifest.digest, self._folder(manifest))
            self.loads[manifest.digest] += 1
        self._recent[manifest.digest] = None
        self._recent.move_to_end(manifest.digest)


class _Using:
    """``host.using(key)`` that gives the host itself."""

    def __init__(self, host: ModelHost, key: str) -> None:
        self._host = host
        self._inner = host.using(key)

    def __enter__(self) -> ModelHost:
        self._inner.__enter__()
        return self._host

    def __exit__(self, *error: Any) -> None:
        self._inner.__exit__(*error)
