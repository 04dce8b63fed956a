"""Clients that ask a server as soon as they are answered, over HTTP, and note what they got."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import httpx

QUESTIONS = (
    "What is the capital of France, and what is it known for?",
    "Explain in one sentence what a contract is.",
    "Name three things that a bank does for its customers.",
)
NEW = 48


@dataclass(frozen=True)
class Answered:
    """One request. ``asked`` on the monotonic clock; ``status`` 0: no response came."""

    name: str
    question: int
    asked: float
    seconds: float
    status: int
    text: str
    tokens: int


def p95(values: Iterable[float]) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))]


def answered(client: httpx.Client, name: str, question: int) -> Answered:
    asked = time.monotonic()
    body = {"model": name, "messages": [{"role": "user", "content": QUESTIONS[question]}], "max_tokens": NEW, "temperature": 0}
    try:
        response = client.post("/v1/chat/completions", json=body)
    except httpx.HTTPError:
        return Answered(name, question, asked, time.monotonic() - asked, 0, "", 0)
    seconds = time.monotonic() - asked
    if response.status_code != 200:
        return Answered(name, question, asked, seconds, response.status_code, response.text, 0)
    told = response.json()
    text = told["choices"][0]["message"]["content"]
    return Answered(name, question, asked, seconds, 200, text, told["usage"]["completion_tokens"])


def answers_to(url: str, names: Sequence[str], questions: int = len(QUESTIONS)) -> list[Answered]:
    """One request after the other: the first questions to every name. None may fail."""
    with httpx.Client(base_url=url, timeout=120) as client:
        found = [answered(client, name, question) for name in names for question in range(questions)]
    for one in found:
        if one.status != 200:
            raise RuntimeError(f"{one.name}: {one.status} {one.text[:500]}")
    return found


class Load:
    """Runs from when it is made until ``end``."""

    def __init__(self, url: str, names: Sequence[str], clients: int) -> None:
        self._url = url
        self._work = itertools.cycle([(name, question) for question in range(len(QUESTIONS)) for name in names])
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._found: list[Answered] = []
        self._begin = time.monotonic()
        self._threads = [threading.Thread(target=self._ask, daemon=True) for _ in range(clients)]
        for thread in self._threads:
            thread.start()

    def end(self) -> list[Answered]:
        """Let every client have its last answer; ``seconds`` says how long it all took."""
        self._over.set()
        for thread in self._threads:
            thread.join()
        self.seconds = time.monotonic() - self._begin
        return self._found

    def _ask(self) -> None:
        with httpx.Client(base_url=self._url, timeout=300) as client:
            while not self._over.is_set():
                with self._lock:
                    name, question = next(self._work)
                self._found.append(answered(client, name, question))
