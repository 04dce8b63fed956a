"""Several servers of one kind as one backend: each holds the base and every adapter; what one cannot finish, another does.

    load    ─► every server that is up        stream ─► the one with the fewest answers ─ breaks off ─► another one goes on
    a server that is away is asked every few seconds; it comes back with all adapters in their places, each one verified

An answer that broke off is gone on with after the tokens that were told. One that a schema binds is made anew from its
beginning instead, since the other server's automaton starts there too; what was told must come again.
"""

from __future__ import annotations

import logging
import secrets
import threading
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from hatrack.core.errors import Busy, EngineError, HatrackError
from hatrack.core.lineage import Manifest
from hatrack.models.adapters.probe import Probe
from hatrack.serving.engines.backend import Backend, Step
from hatrack.serving.engines.effect import verify_effect
from hatrack.serving.engines.wire import ServerAway, ServerFailed
from hatrack.serving.request import Request, TokenChoice

__all__ = ["Replica", "Replicas"]

_log = logging.getLogger("hatrack.engines")


class Replica(Backend, Protocol):
    """A backend that stands on one server.

    Attributes:
        url: where it is, for messages.
    """

    url: str

    def alive(self) -> bool:
        """Whether the server can answer; asked when something failed."""
        ...


@dataclass(eq=False)
class _Member:
    backend: Replica
    up: bool = False
    running: int = 0
    reason: str = ""  # why it is not up; said once
    filled: dict[int, str] = field(default_factory=dict)  # places, and the digest of what lies there
    verified: set[str] = field(default_factory=set)  # since it was last away


class Replicas:
    """See ``hatrack.serving.engines.backend.Backend``."""

    def __init__(self, backends: Sequence[Replica], probe: Callable[[Manifest], Probe], retry: float) -> None:
        """``probe`` reads what an adapter changed at training; ``retry`` in seconds between two looks at who is away."""
        self.name = backends[0].name
        self._members = [_Member(backend) for backend in backends]
        self._probe = probe
        self._retry = retry
        self._places: dict[int, Manifest] = {}
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._watch = threading.Thread(target=self._bring_back, name="hatrack-replicas", daemon=True)

    def open(self) -> int:
        rows, away = 0, []
        for member in self._members:
            try:
                rows += member.backend.open()
                member.up = True
            except ServerAway as error:  # any other fault is one of the config, and said at once
                away.append(error)
                self._missing(member, error.given)
        if not rows:
            raise away[0]
        self._watch.start()
        return rows

    def close(self) -> None:
        self._ended.set()
        if self._watch.is_alive():
            self._watch.join()
        for member in self._members:
            member.backend.close()

    def servers(self) -> Mapping[str, bool]:
        return {member.backend.url: member.up for member in self._members}

    def takes(self, folder: Path) -> bool:
        return self._members[0].backend.takes(folder)

    def load(self, manifest: Manifest, place: int) -> None:
        with self._lock:  # who comes back later finds the adapter in its list
            self._places[place] = manifest
            up = [member for member in self._members if member.up]
        for member in up:
            try:
                self._fill(member, manifest, place)
            except HatrackError as error:
                if not self._lost(member, error):
                    with self._lock:
                        self._places.pop(place, None)
                    raise
        self._someone()

    def stream(self, request: Request, place: int) -> Generator[Step, None, None]:
        request = _repeatable(request)
        told: list[int] = []
        failed: list[_Member] = []
        error: HatrackError | None = None
        while True:
            member, before = self._someone(failed, error), len(told)
            try:
                with self._counted(member), closing(_rest(member.backend, request, place, told)) as steps:
                    for step in steps:
                        yield step
                        if isinstance(step, str):
                            return
                        told.extend((step.token,) if isinstance(step, TokenChoice) else step.tokens)
            except (ServerAway, ServerFailed, Busy) as problem:
                self._lost(member, problem)
                failed = [member] if len(told) > before else [*failed, member]
                error = problem

    def logprobs(self, prompt: Sequence[int], place: int) -> dict[int, float]:
        failed: list[_Member] = []
        error: HatrackError | None = None
        while True:
            member = self._someone(failed, error)
            try:
                return member.backend.logprobs(prompt, place)
            except (ServerAway, ServerFailed, Busy) as problem:
                self._lost(member, problem)
                failed.append(member)
                error = problem

    def _someone(self, failed: Sequence[_Member] = (), error: HatrackError | None = None) -> _Member:
        """The server with the fewest answers in work, among those that did not just fail at this one."""
        with self._lock:
            able = [member for member in self._members if member.up and member not in failed]
        if able:
            return min(able, key=lambda member: member.running)
        if error is not None:
            raise error
        raise ServerAway(
            f"no {self.name} server answers",
            given=", ".join(member.backend.url for member in self._members),
            fix=f"start one of them: it is taken in again within {self._retry:g} s",
        )

    @contextmanager
    def _counted(self, member: _Member) -> Iterator[None]:
        with self._lock:
            member.running += 1
        try:
            yield
        finally:
            with self._lock:
                member.running -= 1

    def _fill(self, member: _Member, manifest: Manifest, place: int) -> None:
        """Bring an adapter to one server, and see that it acts there as it did at training (F18, F19)."""
        member.filled.pop(place, None)
        member.backend.load(manifest, place)
        if manifest.digest not in member.verified:
            verify_effect(self._probe(manifest), member.backend, place)
            member.verified.add(manifest.digest)
        member.filled[place] = manifest.digest

    def _lost(self, member: _Member, error: HatrackError) -> bool:
        """Whether a server is away, and not only at fault with one request; it gets no more until it is back."""
        if isinstance(error, Busy) or member.backend.alive():
            return False
        with self._lock:
            member.up = False
            member.filled.clear()
            member.verified.clear()
        self._missing(member, error.given)
        return True

    def _missing(self, member: _Member, reason: str) -> None:
        if member.reason != reason:
            member.reason = reason
            _log.warning("%s server %s is out: %s", self.name, member.backend.url, reason)

    def _bring_back(self) -> None:
        while not self._ended.wait(self._retry):
            for member in self._members:
                if not member.up and not self._ended.is_set():
                    with suppress(HatrackError):
                        self._readmit(member)

    def _readmit(self, member: _Member) -> None:
        """Take a server in again once it holds all that the others hold; what was verified there before does not count."""
        try:
            if not member.backend.alive():
                return
            member.backend.open()
            while self._lacking(member):
                for place, manifest in self._lacking(member):
                    self._fill(member, manifest, place)
        except HatrackError as error:
            self._missing(member, f"{error.what}: {error.given}")
            raise
        member.reason = ""
        _log.warning("%s server %s is in again", self.name, member.backend.url)

    def _lacking(self, member: _Member) -> list[tuple[int, Manifest]]:
        """What must still be brought; a server that lacks nothing is up from this moment on."""
        with self._lock:
            lacking = [(place, one) for place, one in self._places.items() if member.filled.get(place) != one.digest]
            member.up = not lacking
        return lacking


def _repeatable(request: Request) -> Request:
    """A drawn answer that may have to be made twice is drawn from a seed."""
    params = request.params
    if params.schema is None or params.temperature == 0 or params.seed is not None:
        return request
    return replace(request, params=replace(params, seed=secrets.randbelow(2**31)))


def _rest(backend: Replica, request: Request, place: int, told: list[int]) -> Generator[Step, None, None]:
    """What is left of an answer of which ``told`` is known, up to why there is no more."""
    params = request.params
    if not told or params.schema is not None:
        steps = _after(backend.stream(request, place), tuple(told))
    else:
        seed = None if params.seed is None else params.seed + len(told)
        shorter = replace(params, max_tokens=params.max_tokens - len(told), seed=seed)
        steps = backend.stream(replace(request, prompt=(*request.prompt, *told), params=shorter), place)
    with closing(steps):
        for step in steps:
            yield step
            if isinstance(step, str):
                return
    raise ServerFailed(f"the {backend.name} server ended an answer without saying why", given=backend.url)


def _after(steps: Generator[Step, None, None], told: tuple[int, ...]) -> Generator[Step, None, None]:
    """The steps of an answer that is made again, without those that were told before."""
    with closing(steps):
        for token in told:
            again = next(steps, None)
            if not isinstance(again, TokenChoice) or again.token != token:
                raise EngineError(
                    "an answer broke off, and the server that made it again made another one",
                    given=f"{len(told)} tokens had been told",
                    fix="ask again",
                )
        yield from steps
