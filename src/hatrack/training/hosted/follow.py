"""Waiting for a job that runs elsewhere: what is new is said, and a provider that is silent for a while loses nothing."""

from __future__ import annotations

import time
from collections.abc import Callable

from hatrack.core.errors import ProviderUnreachable
from hatrack.training.providers.base import JobState, Provider

__all__ = ["follow"]

_PATIENCE = 20  # looks in a row without an answer; each is a few requests


def follow(provider: Provider, job: str, heard: Callable[[JobState], None], say: Callable[[str], None], interval: float) -> JobState:
    """Look at a job until it has ended.

    Args:
        heard: called with the job's state whenever its status is another than before.
        interval: seconds between two looks.

    Raises:
        ProviderUnreachable: no answer for a long time; the job goes on.
        ProviderError: the provider refuses to say.
    """
    told: set[str] = set()
    status, silent = "", 0
    while True:
        try:
            state = provider.state(job)
            for event, message in provider.events(job):
                if event not in told:
                    told.add(event)
                    say(message)
            silent = 0
        except ProviderUnreachable as error:
            silent += 1
            if silent > _PATIENCE:
                raise
            say(f"{error.what}; the job goes on, looking again")
        else:
            if state.status != status:
                status = state.status
                say(f"job {job}: {status}")
                heard(state)
            if state.finished:
                return state
        time.sleep(interval)
