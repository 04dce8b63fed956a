"""The same work for everybody: prompts of 64 tokens, 48 new tokens each, greedy; and how ours is driven and timed."""

from __future__ import annotations

import os
import random
import statistics
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Any

PROMPT, CROWD = 64, 16
NEW = int(os.environ.get("SERVING_NEW", "48"))  # fewer to try the benchmark out
_IDS = range(2000, 40000)  # neither special tokens nor halves of words' beginnings matter: only how many there are


def prompt(seed: int, length: int = PROMPT) -> list[int]:
    """Token ids; another seed shares nothing with it."""
    chosen = random.Random(seed)
    return [chosen.choice(_IDS) for _ in range(length)]


def p95(values: Iterable[float]) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))]


def median(values: Iterable[float]) -> float:
    return statistics.median(values)


@dataclass
class Told:
    """One request and what came of it. ``error`` is a failure, ``refused`` a Busy."""

    name: str
    asked: float = field(default_factory=time.perf_counter)
    first: float = 0.0
    end: float = 0.0
    tokens: int = 0
    ids: list[int] = field(default_factory=list)
    error: str = ""
    refused: bool = False
    over: Event = field(default_factory=Event)

    @property
    def wait(self) -> float:
        """Seconds to the first token."""
        return self.first - self.asked

    def __call__(self, event: Any) -> None:
        from hatrack.serving.request import Failed, Finished, Piece

        if isinstance(event, Piece):
            self.ids += [choice.token for choice in event.tokens]
        elif isinstance(event, Finished):
            self.end = time.perf_counter()
            self.first = self.asked + event.first_token
            self.tokens = event.completion_tokens
            self.over.set()
        elif isinstance(event, Failed):
            self.error = str(event.error)
            self.over.set()


def open_service(root: Path, **settings: Any) -> Any:
    """Ours, started, with the base's kernels compiled.

    The probe is not asked: random weights learned nothing, and what they change by chance is about as large as what INT8
    rounds off, so that some would be refused. Nothing ends an answer but its length: every system makes all the tokens.
    """
    from hatrack.core.config_file import read_config
    from hatrack.core.project import Project
    from hatrack.serving.service import ModelService
    from hatrack.serving.settings import EngineSettings

    service = ModelService(Project(root), read_config(root), EngineSettings(**{"context": 512, "rank": 16, **settings}))
    service.start()
    service.engine._stop_ids = frozenset()
    service.engine.loader._verified.update(service.resolve(name).digest for name in service.registry.names())
    finish([ask(service, "base", prompt(-1 - n), 4) for n in range(4)])
    return service


def ask(service: Any, name: str, ids: Sequence[int], new: int = NEW, **params: Any) -> Told:
    """Submit a request; a refusal is noted, not raised."""
    from hatrack.core.errors import Busy
    from hatrack.serving.request import SamplingParams

    manifest = service.resolve(name)
    told = Told(name)
    try:
        service.submit(manifest, ids, SamplingParams(max_tokens=new, **params), told)
    except Busy:
        told.refused = True
        told.over.set()
    return told


def finish(told: Sequence[Told], seconds: float = 600) -> None:
    """Wait for all; nothing may fail or be lost."""
    for one in told:
        if not one.over.wait(seconds):
            raise RuntimeError(f"a request for {one.name} was lost")
        if one.error:
            raise RuntimeError(f"{one.name}: {one.error}")


def tokens_of(service: Any, name: str, ids: Sequence[int]) -> Told:
    """Ask for the tokens themselves."""
    return ask(service, name, ids, logprobs=0)


def once(service: Any, name: str, seed: int) -> float:
    """Seconds to the first token of a request that is alone."""
    told = ask(service, name, prompt(seed), 1)
    finish([told])
    return told.wait


def rate(service: Any, names: Sequence[str], seed: int) -> float:
    """New tokens a second of one request for each name, asked at once."""
    begin = time.perf_counter()
    told = [ask(service, name, prompt(seed * 1000 + n)) for n, name in enumerate(names)]
    finish(told)
    return sum(one.tokens for one in told) / (max(one.end for one in told) - begin)
