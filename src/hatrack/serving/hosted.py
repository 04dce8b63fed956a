"""Versions that a hosted model answers for, beside those of this machine: a few threads that wait for providers.

submit ─► line (bounded) ─► thread: HostedAdapter.answer ─► Piece, Piece, ... Finished
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import replace

from hatrack.core.chat import Message
from hatrack.core.errors import AdapterError, Busy, RequestError
from hatrack.core.lineage import Manifest
from hatrack.models.backends.base import Completion
from hatrack.models.backends.hosted import HostedAdapter, hosted_labels
from hatrack.models.causal import Sampling
from hatrack.serving.labels import Labelled
from hatrack.serving.request import Failed, Finished, Piece, Request

__all__ = ["HostedEngine"]

_AT_ONCE = 32  # requests under way; each is a thread that waits


class _Gone(Exception):
    """Nobody waits any more: raised out of a stream, it ends the request."""


class HostedEngine:
    """Answers for hosted versions. Thread-safe.

    Args:
        open_version: the files of a version to whoever asks its model; called once for each.
        queue: requests that may wait.
    """

    def __init__(self, open_version: Callable[[Manifest], HostedAdapter], queue: int) -> None:
        self._open_version, self._queue = open_version, queue
        self._opened: dict[str, HostedAdapter] = {}
        self._places = threading.BoundedSemaphore(_AT_ONCE)
        self._waiting: Counter[str] = Counter()
        self._running: Counter[str] = Counter()
        self._under_way: set[Request] = set()
        self._lock = threading.Lock()
        self._open = True

    def adapter(self, manifest: Manifest) -> HostedAdapter:
        """Whoever asks for a version. Nothing is sent.

        Raises:
            AdapterBroken: its files are damaged. ConfigError: there is no key.
        """
        with self._lock:
            if manifest.digest not in self._opened:
                self._opened[manifest.digest] = self._open_version(manifest)
            return self._opened[manifest.digest]

    def submit(self, request: Request, messages: Sequence[Message]) -> None:
        """Take a request. Its events come from a thread of this engine.

        Raises:
            Busy: too many are waiting. RequestError: an option that no hosted model is asked with, or the engine ends.
        """
        if request.manifest is None:
            raise AssertionError("the base is not hosted")
        if not messages:
            raise AdapterError(
                f"{request.manifest.name} is hosted and answers conversations only", given="a bare text",
                allowed="messages", fix="POST /v1/chat/completions",
            )  # fmt: skip
        params = request.params
        strange = {"logprobs": params.logprobs is not None, "response_format": params.schema is not None, "top_k": params.top_k > 0}
        if any(strange.values()):
            raise RequestError(
                f"{request.manifest.name} is hosted, and this option is not passed on",
                given=", ".join(name for name, given in strange.items() if given), allowed="temperature, top_p, seed, stop, max_tokens",
                fix="leave it out",
            )  # fmt: skip
        adapter = self.adapter(request.manifest)
        self._enter(request.digest)
        with self._lock:
            self._under_way.add(request)
        self._begin(request.digest, lambda: self._answer(adapter, request, tuple(messages)))

    def classify(self, manifest: Manifest, texts: Sequence[str]) -> Future[list[Labelled]]:
        """The label that is answered to each text; None where the answer is none. There are no probabilities.

        Raises:
            Busy: too many are waiting.
        """
        adapter = self.adapter(manifest)
        self._enter(manifest.digest)

        future: Future[list[Labelled]] = Future()

        def work() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                future.set_result([Labelled(label, None, ()) for label in hosted_labels(adapter, texts)])
            except BaseException as error:  # goes to whoever asked
                future.set_exception(error)

        self._begin(manifest.digest, work)
        return future

    def stop(self, *, drain: bool = True, timeout: float = 60.0) -> None:
        """Take nothing more; let what runs end within ``timeout`` seconds, or cancel it."""
        with self._lock:
            self._open = False
        until = time.monotonic() + (timeout if drain else 0.0)
        while time.monotonic() < until and (self._running or self._waiting):
            time.sleep(0.02)
        with self._lock:
            for request in self._under_way:
                request.cancel()

    def waiting(self) -> dict[str, int]:
        """How many requests wait, by digest."""
        with self._lock:
            return dict(+self._waiting)

    def running(self) -> Counter[str]:
        """How many answers are being waited for, by digest."""
        with self._lock:
            return +self._running

    def _answer(self, adapter: HostedAdapter, request: Request, messages: tuple[Message, ...]) -> None:
        started = time.monotonic()
        first = 0.0

        def tell(text: str) -> None:
            nonlocal first
            _must_be_wanted(request)
            if text:
                first = first or time.monotonic()
                request.emit(Piece(text))

        try:
            _must_be_wanted(request)
            params = request.params
            sampling = Sampling(params.max_tokens, params.temperature, params.top_p, params.seed)
            answer = adapter.answer(messages, sampling, stop=params.stop, on_text=tell)
            request.emit(_finished(request, answer, started, first))
        except _Gone:
            request.emit(replace(_finished(request, Completion("", 0, 0, stopped=False), started, first), reason="cancelled"))
        except Exception as error:  # told to whoever asked
            request.emit(Failed(error))
        finally:
            with self._lock:
                self._under_way.discard(request)

    def _enter(self, digest: str) -> None:
        with self._lock:
            if not self._open:
                raise RequestError("the server is shutting down", fix="try again when it is up")
            if self._waiting.total() >= self._queue:
                raise Busy("too many requests are waiting for hosted models", allowed=str(self._queue), fix="try again in 1 s")
            self._waiting[digest] += 1

    def _begin(self, digest: str, work: Callable[[], None]) -> None:
        """``work``, in a thread that waits for a place. It ends with the process, however long a provider is silent."""

        def run() -> None:
            with self._places:
                with self._lock:
                    self._waiting -= Counter([digest])
                    self._running[digest] += 1
                try:
                    work()
                finally:
                    with self._lock:
                        self._running -= Counter([digest])

        threading.Thread(target=run, name="hatrack-hosted", daemon=True).start()


def _finished(request: Request, answer: Completion, started: float, first: float) -> Finished:
    now = time.monotonic()
    return Finished(
        "stop" if answer.stopped else "length",
        prompt_tokens=answer.prompt_tokens,
        cached_tokens=0,
        completion_tokens=answer.answer_tokens,
        queued=started - request.created,
        first_token=(first or now) - request.created,
        seconds=now - request.created,
        cost=answer.cost,
    )


def _must_be_wanted(request: Request) -> None:
    if request.cancelled:
        raise _Gone
