"""The page of what is looked at while adapters are in use: red team, drift, general ability, and what schedules found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from fastapi import APIRouter, Response
from fastapi.responses import HTMLResponse
from starlette.concurrency import run_in_threadpool

from hatrack.core.checks import GENERAL, SAFETY, CheckReport, check_kind
from hatrack.core.config_gate import GateRules
from hatrack.core.config_watch import Schedule
from hatrack.core.errors import ConfigError
from hatrack.core.project import Project
from hatrack.core.watch_history import History, Ran
from hatrack.registry.store import Registry
from hatrack.studio.app import InStudio, page
from hatrack.studio.buttons import start
from hatrack.studio.views import adapter_view, config_of

__all__ = ["CheckView", "GroupRow", "HistoryRow", "ScheduleRow", "due", "look", "router", "watch"]

_BACK = "/watch"
_SHOWN = 100  # runs of the history
_FAILED = 20  # probes of a report
# what a button is called, and the command behind it
_LOOKS = {
    "redteam": ("Red team", ("redteam",)),
    "drift": ("Drift", ("drift",)),
    "general": ("General ability", ("eval", "--general")),
}

router = APIRouter(default_response_class=HTMLResponse)


@dataclass(frozen=True)
class GroupRow:
    """One pack of probes or kind of task; ``change`` against the base, ``lost`` where that is a loss for sure."""

    name: str
    about: str
    items: int
    score: str
    base: str
    change: str
    lost: bool


@dataclass(frozen=True)
class CheckView:
    """A report that is kept with a version."""

    title: str
    subject: str
    created: str
    groups: tuple[GroupRow, ...]
    failed: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True)
class HistoryRow:
    """What a schedule found."""

    at: str
    run: Ran


@dataclass(frozen=True)
class ScheduleRow:
    """A schedule of the settings, and whether it is due."""

    schedule: Schedule
    due: bool


@router.get("/watch")
def watch(studio: InStudio) -> Response:
    """Buttons for each adapter, the newest reports, schedules and history."""
    config, history = config_of(studio.project), History(studio.project.watch)
    # what labels with a head writes no text that could be looked at
    adapters = {name: one.task != "classify" for name, one in config.adapters.items() if one.data is not None} if config else {}
    now = datetime.now(UTC).timestamp()
    return page(
        "watch.html",
        studio,
        adapters=adapters,
        looks={key: title for key, (title, _) in _LOOKS.items()},
        logs=bool(config and config.watch.log_requests),
        schedules=[ScheduleRow(one, history.due(one, now) <= 0) for one in config.watch.schedules] if config else [],
        history=[HistoryRow(_time(ran.at), ran) for ran in reversed(history.read()[-_SHOWN:])],
        reports=_reports(studio.project, (config.gate if config else GateRules()).tolerated),
    )


@router.post("/watch/{name}/{what}")
async def look(name: str, what: str, studio: InStudio) -> Response:
    """Look at one adapter now."""
    view = await run_in_threadpool(adapter_view, studio.project, name)
    if what not in _LOOKS:
        raise ConfigError("this cannot be looked at", given=what[:40], allowed=", ".join(_LOOKS))
    title, command = _LOOKS[what]
    return await start(studio, f"{title} of {view.name}", (command[0], view.name, *command[1:]), back=_BACK)


@router.post("/watch/due")
async def due(studio: InStudio) -> Response:
    """Run what schedules say is due."""
    return await start(studio, "Run what is due", ("run-due",), back=_BACK)


def _reports(project: Project, tolerated: Callable[[str], float]) -> list[CheckView]:
    """Of every adapter's versions, the newest first."""
    registry, found = Registry(project), []
    for check, title in ((SAFETY, "Red team"), (GENERAL, "General ability")):
        files = registry.attached(check_kind(check))
        for name in registry.names():
            for manifest in registry.versions(name):
                if manifest.digest in files:
                    report = CheckReport.read(files[manifest.digest])
                    found.append(_view(title, report, tolerated(check)))
    return sorted(found, key=lambda view: view.created, reverse=True)


def _view(title: str, report: CheckReport, tolerated: float) -> CheckView:
    groups = [
        GroupRow(
            one.name,
            one.about,
            one.items,
            one.shown(one.score),
            "" if one.base is None else one.shown(one.base),
            f"{one.change.difference:+.3f} ({one.change.interval.low:+.3f} to {one.change.interval.high:+.3f})" if one.change else "",
            one.change is not None and one.change.lost(tolerated, higher_is_better=one.higher_is_better),
        )
        for one in report.groups
    ]
    failed = [(one.group, one.reason, one.answer) for one in report.failed[:_FAILED]]
    return CheckView(title, report.subject, report.created[:16].replace("T", " "), tuple(groups), tuple(failed))


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M")
