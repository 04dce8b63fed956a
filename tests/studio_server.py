"""The studio of a project on loopback, in a thread of the test's process; its jobs are real processes."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from hatrack.api.server import listen
from hatrack.core.project import Project
from hatrack.studio.app import Studio, create_app
from hatrack.studio.jobs import Job, Jobs
from hatrack.studio.searching import Searching
from hatrack.studio.serving import Serving
from http_server import InThread

__all__ = ["Opened", "ended", "opened"]

FROM_PAGE = {"HX-Request": "true"}


@dataclass
class Opened:
    """A studio that answers at ``url``; ``client`` sends what its page sends."""

    url: str
    studio: Studio
    client: httpx.Client

    def post(self, path: str, **form: Any) -> httpx.Response:
        return self.client.post(path, data=form, headers=FROM_PAGE)


@contextmanager
def opened(root: Path) -> Iterator[Opened]:
    project = Project(root)
    studio = Studio(project, Jobs(project), Serving(project), Searching(project))
    bound = listen("127.0.0.1", 0)
    server = InThread(create_app(studio), 1)
    thread = threading.Thread(target=server.serve_until_told, args=(bound,))
    thread.start()
    while not server.started:
        time.sleep(0.01)
    url = f"http://127.0.0.1:{bound.getsockname()[1]}"
    try:
        with httpx.Client(base_url=url, timeout=30) as client:
            yield Opened(url, studio, client)
    finally:
        server.end()
        thread.join(20)
        studio.close()


def ended(jobs: Jobs, job: Job, seconds: float = 120) -> Job:
    """The job when it is over."""
    end = time.monotonic() + seconds
    while (now := jobs.get(job.id)).state == "running":
        assert time.monotonic() < end, jobs.output(job)
        time.sleep(0.05)
    return now
