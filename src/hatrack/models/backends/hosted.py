"""An adapter whose weights are elsewhere: a folder with its card and the record of where they are, and how to ask it.

hatrack.json   task, labels, system prompt: the card that every adapter has
hosted.json    provider, address, model, job: what takes the place of weights
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar, cast

from pydantic import ValidationError

from hatrack.core.chat import Message
from hatrack.core.digest import canonical_json, sha256_json, sha256_text
from hatrack.core.errors import AdapterBroken, AdapterError
from hatrack.core.lineage import HostedWeights
from hatrack.models.adapters.folder import AdapterCard, read_card
from hatrack.models.backends.base import Completion, OnText
from hatrack.models.backends.metered import MeteredModel
from hatrack.models.backends.terms import Terms

if TYPE_CHECKING:
    from hatrack.models.causal import Sampling

__all__ = [
    "HOSTED",
    "HOSTED_TEMPLATE",
    "HostedAdapter",
    "asked_together",
    "hosted_fingerprint",
    "hosted_labels",
    "open_hosted",
    "write_hosted",
]

T = TypeVar("T")
R = TypeVar("R")

_AT_ONCE = 4  # requests under way

HOSTED = "hosted.json"
HOSTED_TEMPLATE = sha256_text("messages/1")  # messages go as they are; the chat template is the provider's


@dataclass(frozen=True)
class HostedAdapter:
    """A hosted version in use."""

    card: AdapterCard
    weights: HostedWeights
    backend: MeteredModel

    def answer(
        self, turns: Sequence[Message], sampling: Sampling, *, stop: Sequence[str] = (), on_text: OnText | None = None
    ) -> Completion:
        """The answer to a conversation; the adapter's system prompt goes first where there is none.

        Raises:
            ProviderError, BudgetExceeded and others: see ``MeteredModel.complete``.
        """
        if self.card.system and turns[0].role != "system":
            turns = (Message("system", self.card.system), *turns)
        return self.backend.complete(turns, sampling, stop=stop, on_text=on_text)

    def label_sampling(self) -> Sampling:
        """Greedy, with room for any label and to see an answer that runs on: no tokenizer makes more tokens than bytes."""
        from hatrack.models.causal import Sampling

        return Sampling(max_new_tokens=max(len(label.encode()) for label in self.card.labels) + 2)


def hosted_fingerprint(provider: str, base_url: str, model: str) -> str:
    """What stands for the base's fingerprint: its name, for its weights cannot be seen."""
    return sha256_json({"provider": provider, "base_url": base_url, "model": model})


def write_hosted(folder: Path, card: AdapterCard, weights: HostedWeights) -> None:
    """Write both files of a hosted adapter."""
    card.write(folder)
    (folder / HOSTED).write_text(canonical_json(weights.model_dump(mode="json")), encoding="utf-8")


def hosted_labels(adapter: HostedAdapter, texts: Sequence[str]) -> list[str | None]:
    """What a hosted classifier answers to each text; None where it is none of the labels.

    Raises:
        AdapterError: it knows no labels. ProviderError: the provider refuses or does not answer.
    """
    if not adapter.card.labels:
        raise AdapterError(
            "this hosted adapter knows no labels",
            given=adapter.card.task,
            allowed="an adapter of task classify-by-text",
            fix="ask it with `hatrack ask`",
        )
    known, sampling = set(adapter.card.labels), adapter.label_sampling()
    answers = asked_together(lambda text: adapter.answer((Message("user", text),), sampling).text.strip(), texts)
    return [answer if answer in known else None for answer in answers]


def asked_together(ask: Callable[[T], R], rows: Sequence[T]) -> list[R]:
    """``ask`` of every row, a few at a time, in order. The first error ends it; what was not yet asked is not asked."""
    failed = threading.Event()

    def asked(row: T) -> R | None:
        if failed.is_set():
            return None  # nobody sees it: the error is raised
        try:
            return ask(row)
        except BaseException:
            failed.set()
            raise

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return [cast(R, answer) for answer in pool.map(asked, rows)]


def open_hosted(folder: Path, terms: Callable[[HostedWeights], Terms]) -> HostedAdapter:
    """The hosted adapter in ``folder``, on the terms that its project has for its model. Nothing is sent.

    Raises:
        AdapterBroken: its files are missing or damaged.
        ConfigError: there is no key. MissingExtra: the provider's package is not installed.
    """
    card = read_card(folder)
    try:
        weights = HostedWeights.model_validate_json((folder / HOSTED).read_text(encoding="utf-8"))
    except (OSError, ValueError, ValidationError) as error:
        raise AdapterBroken(
            "the record of a hosted model cannot be used",
            given=f"{HOSTED}: {str(error).splitlines()[0]}",
            allowed=f"{HOSTED} as training wrote it",
            fix="run the same `hatrack train --provider` command again: a finished job is not paid twice",
        ) from error
    return HostedAdapter(card, weights, MeteredModel(weights, terms(weights)))
