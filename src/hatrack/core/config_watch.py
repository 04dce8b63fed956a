"""What ``watch`` may say: what is looked at while adapters are in use, how often, and who is told."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, field_validator

from hatrack.core.strict import Strict

__all__ = ["AlertSettings", "Schedule", "WatchSettings", "seconds_of"]

_EVERY = re.compile(r"(\d+(?:\.\d+)?)\s*(m|h|d|w)")
_UNITS = {"m": 60, "h": 3600, "d": 86_400, "w": 604_800}


def seconds_of(every: str) -> float:
    """``30m``, ``6h``, ``1d``, ``2w`` in seconds.

    Raises:
        ValueError: no such span, or one under a minute.
    """
    match = _EVERY.fullmatch(every.strip())
    seconds = float(match.group(1)) * _UNITS[match.group(2)] if match else 0
    if seconds < _UNITS["m"]:
        raise ValueError("a span like 30m, 6h, 1d or 2w is needed, a minute or more")
    return seconds


def _checked(every: str) -> str:
    seconds_of(every)
    return every


class Schedule(Strict):
    """One thing that is looked at again and again."""

    job: Literal["drift", "redteam", "eval", "general"] = Field(description="What is run.")
    adapter: str = Field(description="The adapter whose champion (without one, newest version) is looked at.")
    every: Annotated[str, AfterValidator(_checked)] = Field(description="How often: 30m, 6h, 1d, 2w.")
    retrain: bool = Field(
        False,
        description="After an alert, train on the data as it is now, up to the gate; nothing is promoted.",
    )


class AlertSettings(Strict):
    """Who is told. Alerts always stand in the history and in the log."""

    webhook_env: str | None = Field(
        None, description="Environment variable with an address that gets each alert as JSON by POST; https, or http on this machine."
    )
    timeout: float = Field(10, gt=0, description="Seconds that the address has to answer.")


class WatchSettings(Strict):
    """What is looked at while adapters are in use."""

    log_requests: bool = Field(
        False,
        description="Keep questions for `hatrack drift`, personal data masked, in .hatrack/requests; answers only where they are labels.",
    )
    log_mb: float = Field(50, gt=0, description="Most disk for the log of one adapter, in megabytes; the older half goes first.")
    alpha: float = Field(0.01, gt=0, lt=0.5, description="Chance of calling a window drifted that is not, over all tests together.")
    correction: Literal["holm", "bh"] = Field(
        "holm", description="For many tests: holm bounds the chance of any false call, bh (Benjamini-Hochberg) the share of false ones."
    )
    window: int = Field(500, ge=30, description="Newest logged requests that are compared.")
    schedules: tuple[Schedule, ...] = Field((), description="What `hatrack worker` and `hatrack run-due` run.")
    alerts: AlertSettings = Field(AlertSettings(), description="Who is told.")

    @field_validator("schedules")
    @classmethod
    def _each_is_there_once(cls, value: tuple[Schedule, ...]) -> tuple[Schedule, ...]:
        names = [(schedule.job, schedule.adapter) for schedule in value]
        if len(set(names)) < len(names):
            raise ValueError("the same job of the same adapter is scheduled twice")
        return value
