"""Providers fine-tune a model elsewhere: files go there, a job runs there, the name of a model comes back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from hatrack.core.plugins import Plugins

__all__ = ["PROVIDERS", "JobRequest", "JobState", "Provider"]


@dataclass(frozen=True)
class JobRequest:
    """What a job is asked to do.

    Attributes:
        files: ``train``, and perhaps ``validation``, to the provider's id of the uploaded file.
        method: ``supervised`` or ``dpo``.
        hyperparameters: those that were chosen; the provider chooses the others.
        suffix: becomes part of the model's name.
    """

    model: str
    files: dict[str, str]
    method: str
    hyperparameters: dict[str, Any]
    seed: int
    suffix: str


@dataclass(frozen=True)
class JobState:
    """What the provider says of a job.

    Attributes:
        model: the fine-tuned model, once there is one.
        error: why it failed, in the provider's words.
        seconds: from start to end; 0 while it runs, or where it is not said.
    """

    id: str
    status: str
    model: str | None = None
    error: str = ""
    trained_tokens: int | None = None
    hyperparameters: dict[str, Any] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def finished(self) -> bool:
        """It will not change any more."""
        return self.status in ("succeeded", "failed", "cancelled")


class Provider(Protocol):
    """One provider at one address. Every call raises ProviderError where it refuses or does not answer.

    Attributes:
        host: where everything goes.
        libraries: the packages it is spoken to with, to their versions.
    """

    host: str
    libraries: dict[str, str]

    def upload(self, path: Path) -> str:
        """Send a file of training rows; return the provider's id of it."""
        ...

    def start(self, request: JobRequest) -> JobState:
        """Start a job, which is paid. Sent once: a request whose answer is lost is not repeated.

        Raises:
            ProviderUnreachable: there was no answer; whether there is a job, ``find`` knows.
        """
        ...

    def find(self, training_file: str) -> JobState | None:
        """The job that was started on this uploaded file, if there is one."""
        ...

    def state(self, job: str) -> JobState:
        """How a job is getting on."""
        ...

    def events(self, job: str) -> list[tuple[str, str]]:
        """What the provider told of a job lately, oldest first: id and message."""
        ...

    def cancel(self, job: str) -> JobState:
        """Stop a job."""
        ...

    def checkpoints(self, job: str) -> dict[str, str]:
        """Step to the model at that step, where the provider keeps such models."""
        ...


# called with the address and the name of the environment variable that holds the key
PROVIDERS: Plugins[Callable[[str, str], Provider]] = Plugins("provider", {"openai": "hatrack.training.providers.openai:OpenAIProvider"})
