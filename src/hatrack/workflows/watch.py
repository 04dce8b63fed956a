"""Looks at adapters in use by schedule: drift, red team, evaluation; keeps history, raises alerts, retrains up to the gate."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

from filelock import FileLock, Timeout
from rich.console import Console

from hatrack.core.aside import aside
from hatrack.core.config_file import read_config
from hatrack.core.config_watch import Schedule
from hatrack.core.errors import ConfigError, HatrackError
from hatrack.core.lineage import Manifest
from hatrack.core.names import closest
from hatrack.core.project import Project
from hatrack.core.watch_history import History, Ran
from hatrack.training.methods.base import option_model
from hatrack.workflows.adapt import Workbench, prove
from hatrack.workflows.alert import send_alert, webhook_address
from hatrack.workflows.drift import find_drift
from hatrack.workflows.general import check_general
from hatrack.workflows.redteam import check_safety

__all__ = ["Watch"]


class Watch:
    """The schedules of a project."""

    def __init__(self, root: Path, console: Console) -> None:
        """Read the config.

        Raises:
            ConfigError: no schedule, one of an adapter that is not there, or no address for alerts.
        """
        self._root, self._console = root, console
        config = read_config(root, option_model)
        self._rules = config.watch
        if not self._rules.schedules:
            raise ConfigError(
                "there is nothing to watch", given="watch.schedules is empty", allowed="jobs: drift, redteam, eval, general",
                fix="add one: watch: {schedules: [{job: drift, adapter: NAME, every: 1d}]}",
            )  # fmt: skip
        known = config.adapters
        faults = [
            f"watch.schedules: there is no adapter {one.adapter!r}"
            + (f"; did you mean {near[0]}?" if (near := closest(one.adapter, known, 1)) else "")
            for one in self._rules.schedules
            if one.adapter not in known
        ]
        if faults:
            raise ConfigError("schedules name adapters that are not there", faults=tuple(faults), allowed=", ".join(known))
        self._webhook = webhook_address(self._rules.alerts)
        self._project = Project(root.absolute())
        self.history = History(self._project.watch)

    def wait(self, now: float) -> float:
        """Seconds until the next schedule is due; 0 where one is."""
        return max(0.0, min(self.history.due(schedule, now) for schedule in self._rules.schedules))

    def run_due(self, clock: Callable[[], float] = time.time) -> list[Ran]:
        """Run what is due, one after the other, and write down how each went. Only one process does so at a time.

        Raises:
            ConfigError: another process is at it.
        """
        self._project.state.mkdir(parents=True, exist_ok=True)
        lock = FileLock(f"{self._project.watch}.lock")
        try:
            with lock.acquire(timeout=0):
                return [self._run(schedule, clock()) for schedule in self._rules.schedules if self.history.due(schedule, clock()) <= 0]
        except Timeout as error:
            raise ConfigError(
                "another process runs the schedules of this project", given=str(self._root), fix="wait until it has ended"
            ) from error

    def _run(self, schedule: Schedule, now: float) -> Ran:
        aside(self._console)(f"{schedule.job} of {schedule.adapter}")
        version, retrained = "", ""
        try:
            bench = Workbench.open(self._root, self._console)  # a worker lives for months; each job begins with nothing loaded
            manifest = bench.registry.resolve(schedule.adapter)
            version = manifest.version
            reasons = tuple(_JOBS[schedule.job](bench, manifest))
            if reasons and schedule.retrain:
                retrained = self._retrain(bench, schedule.adapter)
            outcome = "alert" if reasons else "fine"
        except HatrackError as error:
            reasons, outcome = (f"{type(error).__name__}: {error.what}",), "failed"
        ran = Ran(
            at=now, job=schedule.job, adapter=schedule.adapter, version=version, outcome=outcome, reasons=reasons, retrained=retrained
        )  # fmt: skip
        if outcome != "fine":
            ran = self._tell(ran)
        self.history.add(ran)
        return ran

    @staticmethod
    def _retrain(bench: Workbench, name: str) -> str:
        """Train anew on the data as it is now, up to the gate; promoting what passes is somebody's decision."""
        try:
            manifest, report = prove(bench, name)
        except HatrackError as error:  # the alert stands all the same
            return f"failed: {error.what}"
        return f"{name}@{manifest.version}, {'passed the gate' if report.passed else 'did not pass the gate'}"

    def _tell(self, ran: Ran) -> Ran:
        said = f"alert: {ran.job} of {ran.adapter}@{ran.version}: {'; '.join(ran.reasons)}"
        self._console.print(said, style="red", markup=False)
        if self._webhook is None:
            return ran
        told = send_alert(self._webhook, ran.model_dump(mode="json", exclude={"told"}), self._rules.alerts.timeout)
        return ran.model_copy(update={"told": told})


def _drift(bench: Workbench, manifest: Manifest) -> Iterator[str]:
    report = find_drift(bench, manifest).report
    for test in report.tests:
        if test.drifted:
            yield f"{test.what} drifted (p {test.adjusted:.4f} after correction): {test.before}, now {test.now}"


def _redteam(bench: Workbench, manifest: Manifest) -> Iterator[str]:
    report = check_safety(bench, manifest, bench.prepare(manifest.name))
    yield from report.losses(bench.config.gate.tolerated("safety"))


def _general(bench: Workbench, manifest: Manifest) -> Iterator[str]:
    yield from check_general(bench, manifest).losses(bench.config.gate.tolerated("general"))


def _eval(bench: Workbench, manifest: Manifest) -> Iterator[str]:
    report = bench.evaluate(manifest, bench.prepare(manifest.name), again=True)
    if not report.passed:
        yield from report.reasons


_JOBS: dict[str, Callable[[Workbench, Manifest], Iterator[str]]] = {
    "drift": _drift,
    "redteam": _redteam,
    "general": _general,
    "eval": _eval,
}
