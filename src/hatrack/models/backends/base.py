"""Backends answer a conversation with a model whose weights are elsewhere; only text goes there and comes back.

A backend knows one protocol and asks once. Whoever uses one opens it with ``hatrack.models.backends.metered``, which asks
again, counts, and keeps to budgets.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Protocol

from hatrack.core.chat import Message
from hatrack.core.lineage import HostedWeights
from hatrack.core.plugins import Plugins

if TYPE_CHECKING:
    from hatrack.models.causal import Sampling

__all__ = ["BACKENDS", "Backend", "Completion", "OnText"]

OnText = Callable[[str], None]


@dataclass(frozen=True)
class Completion:
    """One answer. Tokens are counted by the other side's tokenizer; ``stopped``: the model ended it, not the limit.

    ``cost``: by the price that was stated, in its currency; None where none was.
    """

    text: str
    prompt_tokens: int
    answer_tokens: int
    stopped: bool
    cost: float | None = None


class Backend(Protocol):
    """One model elsewhere. Safe to be asked by several threads.

    Attributes:
        address, key_env: where it is and which environment variable holds its key, where the config says neither.
        seeds: whether it knows ``Sampling.seed``; one that does not is not asked with one.
        host: where the messages go.
    """

    address: ClassVar[str]
    key_env: ClassVar[str]
    seeds: ClassVar[bool]
    host: str

    def __init__(self, weights: HostedWeights, timeout: float) -> None:
        """Nothing is sent.

        Raises:
            ConfigError: there is no key. MissingExtra: a package is not installed.
        """
        ...

    def complete(
        self, messages: Sequence[Message], sampling: Sampling, *, stop: Sequence[str] = (), on_text: OnText | None = None
    ) -> Completion:
        """Answer ``messages``, asking once; the other side has the chat template.

        Args:
            stop: the answer ends before the first of these texts.
            on_text: called with each piece of the answer as it comes; an exception from it ends the request.

        Raises:
            ProviderError: it refuses, does not answer, or answers what it should not; ``billed`` says whether it may cost.
        """
        ...


BACKENDS: Plugins[type[Backend]] = Plugins(
    "backend",
    {
        "anthropic": "hatrack.models.backends.anthropic:AnthropicBackend",
        "mistral": "hatrack.models.backends.mistral:MistralBackend",
        "openai": "hatrack.models.backends.openai:OpenAIBackend",
    },
)
