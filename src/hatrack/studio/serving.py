"""The server that the studio starts: ``hatrack serve`` in a process of its own, on a free port of this machine."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from typing import Literal

from hatrack.core.project import Project
from hatrack.studio.usage import Usage

__all__ = ["Serving"]

_FACT = re.compile(r"([a-z]+) {2,}(.*)")
_PATIENCE = 60.0  # seconds for running answers at the end


class Serving:
    """At most one server. Thread-safe.

    Attributes:
        facts: what it says of itself when it is up: ``address``, ``page``, ``base``, ``adapters``.
        usage: what each key has asked of it, by its log.
    """

    def __init__(self, project: Project) -> None:
        self._project = project
        self._lock = threading.RLock()
        self._process: subprocess.Popen[str] | None = None
        self._said: list[str] = []
        self.facts: dict[str, str] = {}
        self.usage = Usage()

    @property
    def state(self) -> Literal["off", "starting", "on", "failed"]:
        """What it does now."""
        with self._lock:
            if self._process is None:
                return "off"
            if self._process.poll() is not None:
                return "failed"
            return "on" if "stop" in self.facts else "starting"

    @property
    def said(self) -> str:
        """The last lines that it wrote, for when it failed."""
        return "\n".join(self._said[-40:])

    def start(self) -> None:
        """Begin; nothing happens where it is on already."""
        with self._lock:
            if self.state in ("starting", "on"):
                return
            self._said, self.facts, self.usage = [], {}, Usage()
            self._process = subprocess.Popen(  # noqa: S603  # our own program, words and no shell
                [sys.executable, "-m", "hatrack", "serve", "--host", "127.0.0.1", "--port", "0", "--project", str(self._project.root)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                start_new_session=True,
            )
            threading.Thread(target=self._listen, args=(self._process,), name="hatrack-serving", daemon=True).start()

    def stop(self) -> None:
        """End it; running answers are finished first."""
        with self._lock:
            process, self._process = self._process, None
            self.facts = {}
        if process is not None and process.poll() is None:
            process.terminate()
            try:
                process.wait(_PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()

    def _listen(self, process: subprocess.Popen[str]) -> None:
        """Read all that it says, so that it never waits for a reader; the lines before the first request are facts."""
        for line in process.stdout or ():
            with self._lock:
                if process is not self._process:
                    continue
                self.usage.hear(line)
                self._said = [*self._said[-200:], line.rstrip("\n")]
                if "stop" not in self.facts and (fact := _FACT.fullmatch(line.rstrip("\n"))):
                    self.facts[fact[1]] = fact[2]
