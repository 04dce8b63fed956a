"""The ``openai`` provider: files and fine-tuning jobs of OpenAI's API, and of whoever speaks it."""

from __future__ import annotations

import itertools
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

from hatrack.core.errors import ProviderError, ProviderUnreachable
from hatrack.models.backends.endpoint import Endpoint
from hatrack.training.providers.base import JobRequest, JobState

__all__ = ["OpenAIProvider"]

_RETRIES = 3
_LOOKED_THROUGH = 1000  # newest jobs; the one that is looked for was started a moment ago
_EVENTS = 50
_WAITS = 5  # times that 429 is waited for before a job is started
_LONGEST_WAIT = 120.0  # seconds


class OpenAIProvider:
    """Speaks to ``base_url``.

    Raises:
        ConfigError: there is no key. MissingExtra: the package ``openai`` is not installed.
    """

    def __init__(self, base_url: str, api_key_env: str) -> None:
        self._endpoint = Endpoint(base_url, api_key_env, _RETRIES)
        self._jobs: Any = self._endpoint.client.fine_tuning.jobs
        self.host = self._endpoint.host
        self.libraries = {"openai": version("openai")}

    def upload(self, path: Path) -> str:
        with self._endpoint.errors(f"the upload of {path.name}"):
            return self._text(self._endpoint.client.files.create(file=path, purpose="fine-tune").id, "id of a file")

    def start(self, request: JobRequest) -> JobState:
        asked: dict[str, Any] = {
            "model": request.model,
            "training_file": request.files["train"],
            "method": {"type": request.method, request.method: {"hyperparameters": request.hyperparameters}},
            "seed": request.seed,
            "suffix": request.suffix,
        }
        if "validation" in request.files:
            asked["validation_file"] = request.files["validation"]
        once = self._endpoint.client.with_options(max_retries=0).fine_tuning.jobs  # a repeated request may be a second job
        with self._endpoint.errors("the start of a job"):
            for attempt in itertools.count(1):
                try:
                    return self._state(once.create(**asked))
                except Exception as error:
                    wait = _asked_to_wait(error)
                    if wait is None or attempt > _WAITS:
                        raise
                    time.sleep(wait)  # 429 is an answer: there is no job yet, and asking again is safe
        raise RuntimeError("unreachable")

    def find(self, training_file: str) -> JobState | None:
        with self._endpoint.errors("the list of jobs"):
            newest = itertools.islice(self._jobs.list(limit=100), _LOOKED_THROUGH)
            return next((self._state(job) for job in newest if job.training_file == training_file), None)

    def state(self, job: str) -> JobState:
        with self._endpoint.errors(f"a look at job {job}"):
            return self._state(self._jobs.retrieve(job))

    def events(self, job: str) -> list[tuple[str, str]]:
        try:
            with self._endpoint.errors(f"the events of job {job}"):
                newest_first = self._jobs.list_events(job, limit=_EVENTS).data
                return [(str(event.id), str(event.message)) for event in reversed(newest_first)]
        except ProviderUnreachable:
            raise
        except ProviderError:
            return []  # not every endpoint has them, and the job does not depend on them

    def cancel(self, job: str) -> JobState:
        with self._endpoint.errors(f"the end of job {job}"):
            return self._state(self._jobs.cancel(job))

    def checkpoints(self, job: str) -> dict[str, str]:
        try:
            with self._endpoint.errors(f"the checkpoints of job {job}"):
                kept = list(self._jobs.checkpoints.list(job))
        except ProviderError:
            return {}  # as with the events
        return {str(one.step_number): str(one.fine_tuned_model_checkpoint) for one in sorted(kept, key=lambda one: one.step_number)}

    def _state(self, job: Any) -> JobState:
        chosen = getattr(job.method, job.method.type, None) if job.method else None
        parameters = (chosen and chosen.hyperparameters) or getattr(job, "hyperparameters", None)
        ended = job.finished_at or 0
        return JobState(
            id=self._text(job.id, "id of a job"),
            status=self._text(job.status, "status of a job"),
            model=job.fine_tuned_model or None,
            error=self._text(job.error.message, "error") if job.error and job.error.message else "",
            trained_tokens=job.trained_tokens,
            hyperparameters=parameters.model_dump(mode="json", exclude_none=True) if parameters else {},
            seconds=float(max(0, ended - job.created_at)) if ended else 0.0,
        )

    def _text(self, value: object, what: str) -> str:
        if not isinstance(value, str) or not value:
            raise self._endpoint.misspoke(what, repr(value))
        return value


def _asked_to_wait(error: Exception) -> float | None:
    """Seconds until a request may be sent again; None where that is not what the answer says."""
    if getattr(error, "status_code", None) != 429 or getattr(error, "code", None) == "insufficient_quota":
        return None
    response: Any = getattr(error, "response", None)
    try:
        seconds = float(response.headers["retry-after"])
    except (KeyError, ValueError):
        return 5.0
    return seconds if 0 <= seconds <= _LONGEST_WAIT else None
