"""From the engine's thread into the event loop and back: several answers at once, cancelled when nobody waits for them.

route ─► Answers.begin ─► answerer.submit ... ─► engine's thread
             ▲                                      │ events
         events() ◄── this loop's queue ◄───────────┘
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from types import TracebackType
from typing import TypeVar

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request as HttpRequest
from starlette.types import Receive

from hatrack.answering.answer import Answer
from hatrack.api.context import Context, Trace
from hatrack.api.errors import Refusal, shutting_down
from hatrack.api.journal import CLIENT_GONE
from hatrack.api.keys import Caller
from hatrack.core.chat import Message
from hatrack.core.errors import HatrackError
from hatrack.core.lineage import Manifest
from hatrack.serving.request import Event, Failed, Finished, Piece, SamplingParams, TokenChoice

__all__ = ["Answers", "Job", "Whole", "charge", "disconnected", "unless_gone"]

T = TypeVar("T")
BEGUN = 10.0  # seconds that a stream waits for its first token before it begins with nothing
_log = logging.getLogger("hatrack.answers")


@dataclass(frozen=True)
class Job:
    """One answer to make. ``known``: what is said without a model; None: a model is asked."""

    prompt: tuple[int, ...]
    params: SamplingParams
    known: str | None = None

    @property
    def most(self) -> int:
        """Tokens it may use."""
        return len(self.prompt) + self.params.max_tokens


@dataclass
class Whole:
    """One answer that is whole."""

    text: str = ""
    tokens: list[TokenChoice] = field(default_factory=list)
    end: Finished | None = None


class Answers:
    """The answers to one HTTP request. ``close`` must be called, or the context left: it cancels what still runs."""

    def __init__(
        self,
        context: Context,
        trace: Trace,
        manifest: Manifest | None,
        jobs: Sequence[Job],
        messages: Sequence[Message] = (),
        knowledge: str = "",
    ) -> None:
        """``messages``: what the prompt was rendered from, for a cache that knows other wordings; ``knowledge``: version of its sources."""
        self.jobs = tuple(jobs)
        self._context = context
        self._trace = trace
        self._manifest = manifest
        self._events: asyncio.Queue[tuple[int, Event]] = asyncio.Queue()
        self._first: tuple[int, Event] | None = None
        self._loop = asyncio.get_running_loop()
        self._messages = messages
        self._knowledge = knowledge
        self._requests: list[Answer] = []

    async def __aenter__(self) -> Answers:
        charge(self._trace.caller, sum(job.most for job in self.jobs))
        try:
            await run_in_threadpool(self._submit)  # compiling a schema takes time
        except BaseException:
            self.close()
            for job in self.jobs[len(self._requests) :]:  # those that were taken give back their own when they end
                self._give_back(job.most)
            raise
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Nobody waits any more; what is whole already stays counted."""
        for request in self._requests:
            request.cancel()

    @property
    def headers(self) -> dict[str, str]:
        """Whether the answers were known: ``hit``, ``near``, ``miss``, or ``off`` where none is kept."""
        states = sorted({request.cache for request in self._requests})
        return {"X-Hatrack-Cache": ", ".join(states)}

    async def begin(self, seconds: float = BEGUN) -> None:
        """Enter, and wait for the first event, so that a refusal still has a status of its own; not longer than ``seconds``.

        Raises:
            HatrackError: what the engine says.
        """
        await self.__aenter__()
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    self._first = await self._events.get()
            if self._first is not None:
                _check(self._first[1])
        except BaseException:
            self.close()
            raise

    async def events(self, patience: float | None = None) -> AsyncIterator[tuple[int, Piece | Finished] | None]:
        """Every piece and every end, with the number of its answer; None where nothing came for ``patience`` seconds.

        Raises:
            HatrackError: an answer cannot be given.
        """
        missing = len(self.jobs)
        while missing:
            if self._first is not None:
                (number, event), self._first = self._first, None
            else:
                try:
                    async with asyncio.timeout(patience):
                        number, event = await self._events.get()
                except TimeoutError:
                    yield None
                    continue
            known = _check(event)
            missing -= isinstance(known, Finished)
            yield number, known

    async def whole(self) -> list[Whole]:
        """All answers, when they are whole.

        Raises:
            HatrackError: one of them cannot be given.
        """
        answers = [Whole() for _ in self.jobs]
        async for heard in self.events():
            if heard is None:
                continue
            number, event = heard
            answer = answers[number]
            if isinstance(event, Piece):
                answer.text += event.text
                answer.tokens += event.tokens
            else:
                answer.end = event
        return answers

    def _submit(self) -> None:
        answerer, tenant = self._context.answerer, self._trace.caller.tenant
        for number, job in enumerate(self.jobs):
            hear = partial(self._hear, number)
            if job.known is not None:
                self._requests.append(answerer.say(self._manifest, job.known, len(job.prompt), hear))
                continue
            request = answerer.submit(
                self._manifest, job.prompt, job.params, hear, tenant, knowledge=self._knowledge, messages=self._messages
            )
            self._requests.append(request)

    def _hear(self, number: int, event: Event) -> None:
        """In the engine's thread."""
        with contextlib.suppress(RuntimeError):  # the loop has ended: nobody waits
            self._loop.call_soon_threadsafe(self._arrive, number, event)

    def _arrive(self, number: int, event: Event) -> None:
        """In the loop, also when the route has long gone: what was computed counts."""
        self._events.put_nowait((number, event))
        if isinstance(event, Finished):
            self._give_back(self.jobs[number].most - event.prompt_tokens - event.completion_tokens)
            self._context.meters.finished(self._manifest, event)
            self._trace.prompt_tokens += event.prompt_tokens
            self._trace.completion_tokens += event.completion_tokens
            self._trace.first_token = self._trace.first_token or event.first_token
        elif isinstance(event, Failed):
            self._give_back(self.jobs[number].most)
            self._context.meters.failed(self._manifest)

    def _give_back(self, tokens: int) -> None:
        if self._trace.caller.tokens:
            self._trace.caller.tokens.give(tokens)


def charge(caller: Caller, tokens: int) -> None:
    """Take tokens out of a caller's quota before anything is computed.

    Raises:
        Refusal: there are not enough; with the time until there will be, or without one where there never will.
    """
    if caller.tokens is None:
        return
    allowed = f"{caller.tokens.capacity:g} tokens a minute"
    if tokens > caller.tokens.capacity:
        raise Refusal(
            400, "the request may use more tokens than this key has", code="rate_limit_exceeded", param="max_tokens",
            given=f"up to {tokens} tokens", allowed=allowed, fix="ask for a shorter answer",
        )  # fmt: skip
    wait = caller.tokens.take(tokens)
    if wait:
        raise Refusal(
            429, "this key has used up its tokens for now", code="rate_limit_exceeded",
            given=f"up to {tokens} tokens", allowed=allowed, fix=f"try again in {wait:.0f} s", retry_after=wait,
        )  # fmt: skip


async def disconnected(receive: Receive) -> None:
    """Return when the client is gone."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def unless_gone(request: HttpRequest, work: asyncio.Future[T]) -> T:
    """The result of ``work``; where the client goes first, ``work`` is cancelled.

    Raises:
        Refusal: the client is gone, or the server is about to be.
    """
    gone = asyncio.ensure_future(disconnected(request.receive))
    try:
        await asyncio.wait((work, gone), return_when=asyncio.FIRST_COMPLETED)
        if not work.done():
            raise Refusal(CLIENT_GONE, "the client did not wait for the answer", code="client_gone")
        if work.cancelled():
            raise shutting_down()
        return work.result()
    finally:
        gone.cancel()
        work.cancel()


def _check(event: Event) -> Piece | Finished:
    if isinstance(event, Failed):
        if isinstance(event.error, HatrackError):
            raise event.error
        _log.error("an answer failed", exc_info=event.error)
        raise Refusal(500, "the server has a fault", code="server_fault", fix="tell its owner; its log holds the reason") from event.error
    if isinstance(event, Finished) and event.reason == "cancelled":
        raise shutting_down()  # nobody else cancels what is still waited for
    return event
