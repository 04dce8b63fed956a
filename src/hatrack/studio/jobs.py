"""Jobs: commands that a button began, each a process of its own with its output on disk.

    button ─► Jobs.start ─► process: hatrack COMMAND ... ─► out, err, job.json ─► page

What a command says is what the page shows, so nothing can be done here that a command line cannot do, and a page that is
loaded again, or a studio that is started again, finds everything. One job works at a time: two would share the cores.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from hatrack.api.errors import Refusal
from hatrack.core.atomic import storage_errors, write_text
from hatrack.core.errors import RunInUse, StorageError
from hatrack.core.project import Project

__all__ = ["Job", "Jobs", "State"]

State = Literal["running", "done", "measured, not proven", "refused", "stopped", "lost"]
_TAIL = 40_000  # bytes of an output that are shown
_PATIENCE = 30.0  # seconds that a job has to end when the studio does


class Job(BaseModel):
    """One command.

    Attributes:
        command: without the program and the project.
        adapter, back: whose page, or which, comes after it; empty: the first one.
        started, ended: seconds since 1970.
        code: its exit code, negative for a signal; None while it runs, or where nobody saw it end.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: int
    title: str
    command: tuple[str, ...]
    adapter: str
    started: float
    pid: int
    ended: float | None = None
    code: int | None = None
    lost: bool = False
    back: str = ""

    @property
    def state(self) -> State:
        """In a word."""
        if self.code is None:
            return "lost" if self.lost else "running"
        known: dict[int, State] = {0: "done", 1: "measured, not proven", 2: "refused", 130: "stopped"}
        stopped = (-signal.SIGINT, -signal.SIGTERM, -signal.SIGKILL)
        return known.get(self.code, "stopped" if self.code in stopped else "lost")

    @property
    def line(self) -> str:
        """As one would type it."""
        return shlex.join(("hatrack", *self.command))


class Jobs:
    """All jobs of a project. Thread-safe."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._folder = project.studio / "jobs"
        self._lock = threading.RLock()
        self._processes: dict[int, subprocess.Popen[bytes]] = {}
        self._asked: set[int] = set()

    def start(self, title: str, command: tuple[str, ...], adapter: str = "", back: str = "") -> Job:
        """Begin a command.

        Raises:
            RunInUse: another one works. StorageError: its output cannot be kept.
        """
        with self._lock:
            if (other := self.running()) is not None:
                raise RunInUse("another job is at work", given=other.title, fix="wait for it, or cancel it")
            number = max((job.id for job in self.all()), default=0) + 1
            folder = self._folder / f"{number:05}"
            with storage_errors(folder):
                folder.mkdir(parents=True)
            with (folder / "out").open("wb") as out, (folder / "err").open("wb") as err:
                process = subprocess.Popen(  # noqa: S603  # our own program, words and no shell
                    [sys.executable, "-m", "hatrack", *command, "--project", str(self._project.root)],
                    cwd=self._project.root,
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=err,
                    env={**os.environ, "NO_COLOR": "1", "PYTHONUNBUFFERED": "1"},
                    start_new_session=True,  # Ctrl-C in the terminal is the studio's, which then ends its jobs itself
                )
            self._processes[number] = process
            job = Job(id=number, title=title, command=command, adapter=adapter, back=back, started=time.time(), pid=process.pid)
            try:
                self._keep(job)
            except StorageError:  # what nobody could find again must not work on
                process.kill()
                raise
            threading.Thread(target=self._wait, args=(process, job), name=f"hatrack-job-{number}", daemon=True).start()
            return job

    def all(self) -> list[Job]:
        """Newest first."""
        with self._lock:
            found = [self._read(path) for path in self._folder.glob("*/job.json")]
            return sorted((job for job in found if job is not None), key=lambda job: -job.id)

    def get(self, number: int) -> Job:
        """One job.

        Raises:
            Refusal: there is none of this number.
        """
        with self._lock:  # else one that is just being written down as ended could look like one that nobody waits for
            job = self._read(self._folder / f"{number:05}" / "job.json")
        if job is None:
            raise Refusal(404, "there is no such job", code="not_found", given=str(number), fix="the first page lists them")
        return job

    def running(self) -> Job | None:
        """The job that works now."""
        return next((job for job in self.all() if job.state == "running"), None)

    def output(self, job: Job) -> tuple[str, str]:
        """The ends of what it wrote to stdout and stderr."""
        folder = self._folder / f"{job.id:05}"
        return _tail(folder / "out"), _tail(folder / "err")

    def cancel(self, job: Job) -> None:
        """Ask a job to end: a training finishes its step and writes a checkpoint. Asked again, end it at once."""
        with self._lock:
            if self.get(job.id).state == "running":
                # not SIGINT: where the studio was started in the background, its children do not hear that
                number = signal.SIGKILL if job.id in self._asked else signal.SIGTERM
                self._asked.add(job.id)
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(job.pid, number)

    def close(self) -> None:
        """End what works, and wait for it."""
        job = self.running()
        if job is None:
            return
        self.cancel(job)
        end = time.monotonic() + _PATIENCE
        while self.get(job.id).state == "running" and time.monotonic() < end:
            time.sleep(0.05)
        self.cancel(job)

    def _wait(self, process: subprocess.Popen[bytes], job: Job) -> None:
        code = process.wait()
        with self._lock:
            self._keep(job.model_copy(update={"ended": time.time(), "code": code}))
            self._processes.pop(job.id, None)

    def _keep(self, job: Job) -> None:
        write_text(self._folder / f"{job.id:05}" / "job.json", job.model_dump_json())

    def _read(self, path: Path) -> Job | None:
        try:
            job = Job.model_validate_json(path.read_bytes())
        except (OSError, ValueError):  # another studio is just making it, or it is none of ours
            return None
        if job.code is None and job.id not in self._processes and not _alive(job.pid):
            return job.model_copy(update={"lost": True})
        return job


def _alive(pid: int) -> bool:
    """Whether a process of ours has this number: numbers are given again."""
    with contextlib.suppress(OSError):
        return b"hatrack" in Path(f"/proc/{pid}/cmdline").read_bytes()
    return False


def _tail(path: Path) -> str:
    """The end of a file, from the beginning of a line; of a line that was written over itself, what stands at last."""
    try:
        with path.open("rb") as stream:
            size = stream.seek(0, os.SEEK_END)
            stream.seek(max(0, size - _TAIL))
            text = stream.read().decode("utf-8", "replace")
    except OSError:
        return ""
    if size > _TAIL:
        text = text.partition("\n")[2]
    return "\n".join(line.rstrip("\r").rpartition("\r")[2] for line in text.split("\n")).strip("\n")
