"""A hosted model as everybody uses it: asked again where that helps, counted, and never beyond a budget.

reserve ─► ask once ─┬─ answered ──► settle
   ▲                 ├─ refused ───► release
   └── wait, again ──┴─ no answer ─► release, or leave it reserved where it may have been billed
"""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from hatrack.core.chat import Message
from hatrack.core.errors import HatrackError, ProviderError, ProviderUnreachable, RequestError
from hatrack.core.lineage import HostedWeights
from hatrack.models.backends.base import BACKENDS, Backend, Completion, OnText
from hatrack.models.backends.ledger import NANOS
from hatrack.models.backends.terms import Terms

if TYPE_CHECKING:
    from hatrack.models.causal import Sampling

__all__ = ["MeteredModel"]

FIRST_WAIT = 0.5  # seconds before the first repetition, where the other side says nothing; then twice that, ...
_LONGEST_WAIT = 120.0
_EACH_TURN, _EACH_REQUEST = 16, 64  # tokens that a chat template adds, generously


class MeteredModel:
    """One model elsewhere, on ``terms``. Safe to be asked by several threads.

    Raises:
        ConfigError: there is no such backend, or no key. MissingExtra: a package is not installed.
    """

    def __init__(self, weights: HostedWeights, terms: Terms) -> None:
        kind = BACKENDS.get(weights.provider)
        self.terms = terms
        self._backend: Backend = kind(weights, terms.timeout)
        self._seeds, self._sampling = kind.seeds, weights.sampling
        self.host = self._backend.host

    def complete(
        self, messages: Sequence[Message], sampling: Sampling, *, stop: Sequence[str] = (), on_text: OnText | None = None
    ) -> Completion:
        """Answer ``messages``; see ``Backend.complete``. Before it asks again, ``on_text`` is called with an empty text.

        Raises:
            BudgetExceeded: it could cost more than is allowed; nothing was sent. StorageError: it cannot be recorded.
            RequestError: an option that the model does not know.
            ProviderError, ProviderUnreachable: the other side refuses, or did not answer however often it was asked.
        """
        self._must_know(sampling)
        told = False

        def tell(text: str) -> None:
            nonlocal told
            told = True
            if on_text is not None:
                on_text(text)

        for attempt in range(self.terms.retries + 1):
            try:
                return self._once(messages, sampling, stop, None if on_text is None else tell)
            except ProviderUnreachable as error:
                wait = _wait(error, attempt)
                if told or attempt == self.terms.retries or wait > _LONGEST_WAIT:  # what was heard cannot be unsaid
                    raise
            time.sleep(wait)
            if on_text is not None:
                on_text("")  # who is gone meanwhile can say so, before it is paid for
        raise AssertionError("the last attempt returns or raises")

    def _once(self, messages: Sequence[Message], sampling: Sampling, stop: Sequence[str], on_text: OnText | None) -> Completion:
        terms, ledger = self.terms, self.terms.ledger
        longest = _most_tokens(messages), sampling.max_new_tokens
        ticket = ledger.reserve(terms.adapter, terms.model, *longest, self._nanos(*longest), terms.limits) if ledger else 0
        try:
            answer = self._backend.complete(messages, sampling, stop=stop, on_text=on_text)
        except ProviderError as error:
            if ledger and not error.billed:
                ledger.release(ticket)
            raise
        except HatrackError:  # refused by the backend itself, before anything was sent
            if ledger:
                ledger.release(ticket)
            raise
        nanos = self._nanos(answer.prompt_tokens, answer.answer_tokens)
        if ledger:
            ledger.settle(ticket, answer.prompt_tokens, answer.answer_tokens, nanos)
        return answer if nanos is None else replace(answer, cost=nanos / NANOS)

    def _nanos(self, prompt_tokens: int, answer_tokens: int) -> int | None:
        return None if self.terms.price is None else self.terms.price.nanos(prompt_tokens, answer_tokens)

    def _must_know(self, sampling: Sampling) -> None:
        if sampling.seed is not None and not self._seeds:
            raise RequestError("this hosted model knows no seed", given=self.terms.model, allowed="no seed", fix="leave seed out")
        if not self._sampling and (sampling.temperature > 0 or sampling.top_p < 1):
            raise RequestError(
                "this hosted model takes neither temperature nor top_p", given=f"{self.terms.model} with sampling: false",
                allowed="neither of them", fix="leave temperature and top_p out",
            )  # fmt: skip


def _most_tokens(messages: Sequence[Message]) -> int:
    """More tokens than any tokenizer makes of them: none makes more tokens than bytes."""
    return sum(len(message.content.encode()) + _EACH_TURN for message in messages) + _EACH_REQUEST


def _wait(error: ProviderUnreachable, attempt: int) -> float:
    """Seconds until the next attempt: as long as the other side says, else twice as long each time, not all at once."""
    if error.retry_after is not None:
        return error.retry_after
    return min(FIRST_WAIT * 2.0**attempt, _LONGEST_WAIT) * random.uniform(0.75, 1.25)
