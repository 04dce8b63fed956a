"""A real server on loopback, in a thread of the test's process."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from hatrack.api.app import create_app
from hatrack.api.keys import KeyFile, KeyRing
from hatrack.api.server import Server, listen
from hatrack.core.config_file import read_config
from hatrack.core.config_http import HttpSettings
from hatrack.core.project import Project
from hatrack.serving.service import ModelService
from hatrack.serving.settings import EngineSettings

__all__ = ["InThread", "Running", "running"]

SMALL = {"precision": "fp32", "slots": 3, "rank": 8, "context": 256, "kv_gb": 0.01, "rows": 8, "chunk": 32}


@dataclass
class Running:
    """A server that answers at ``url``."""

    url: str
    service: ModelService
    app: Any
    server: Server
    keys: KeyFile

    def client(self, key: str = "", **settings: Any) -> httpx.Client:
        """A plain client with a key."""
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        return httpx.Client(base_url=self.url, headers=headers, timeout=30, **settings)

    def alone(self, seconds: float = 10.0) -> bool:
        """Whether no answer is being made, at the latest after ``seconds``."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            engine = self.service.engine
            if engine and not engine.running() and not engine.waiting() and not self.service.groups.running():
                return True
            time.sleep(0.02)
        return False


@contextmanager
def running(
    root: Path, *, http: HttpSettings | None = None, service: ModelService | None = None, keys: Path | None = None, **engine: Any
) -> Iterator[Running]:
    """Start a server for a project; a given service is used and left running. ``keys``: a file of keys of its own."""
    used = service or ModelService(Project(root), read_config(root), EngineSettings(**{**SMALL, **engine}))
    if service is None:
        used.start()
    file = KeyFile(keys or Project(root).keys)
    app = create_app(used, KeyRing((), file), http or HttpSettings(log=False), loopback_only=True)
    bound = listen("127.0.0.1", 0)
    server = InThread(app, 5)
    thread = threading.Thread(target=server.serve_until_told, args=(bound,))
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield Running(f"http://127.0.0.1:{bound.getsockname()[1]}", used, app, server, file)
    finally:
        server.end()
        thread.join(20)
        if service is None:
            used.stop(drain=False)


class InThread(Server):
    """Signals go to the main thread only."""

    def capture_signals(self) -> Any:
        from contextlib import nullcontext

        return nullcontext()
