"""Backends answer a conversation with a model whose weights are elsewhere; only text goes there and comes back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from hatrack.core.chat import Message
from hatrack.core.lineage import HostedWeights
from hatrack.core.plugins import Plugins

if TYPE_CHECKING:
    from hatrack.models.causal import Sampling

__all__ = ["BACKENDS", "Backend", "Completion"]


@dataclass(frozen=True)
class Completion:
    """One answer. Tokens are counted by the other side's tokenizer; ``stopped``: the model ended it, not the limit."""

    text: str
    prompt_tokens: int
    answer_tokens: int
    stopped: bool


class Backend(Protocol):
    """One model elsewhere. Safe to be asked by several threads.

    Attributes:
        host: where the messages go.
    """

    host: str

    def complete(self, messages: Sequence[Message], sampling: Sampling) -> Completion:
        """Answer ``messages``; the other side has the chat template.

        Raises:
            ProviderError: it refuses, does not answer, or answers what it should not.
        """
        ...


BACKENDS: Plugins[Callable[[HostedWeights], Backend]] = Plugins("backend", {"openai": "hatrack.models.backends.openai:OpenAIBackend"})
