"""One measurement is one process: its lines are shown as they come, its figures are kept, a kept one is not run again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TextIO

HERE = Path(__file__).parent
LIMIT = 900  # seconds after which a measurement is taken for dead

Figures = dict[str, Any]


class MeasurementFailed(RuntimeError):
    """A process ended without figures."""


class Runs:
    """Runs measurements, one at a time."""

    def __init__(self, work: Path, *, small: bool) -> None:
        self.small = small
        self._kept = work / ("kept-small" if small else "kept")
        self._logs = work / "logs"
        for folder in (self._kept, self._logs):
            folder.mkdir(parents=True, exist_ok=True)

    def once(self, name: str, measure: Callable[[], Figures]) -> Figures:
        """Figures of an earlier run, or those of ``measure``."""
        path = self._kept / f"{name}.json"
        if path.is_file():
            say(f"{name}: kept in {path}; delete it to measure again")
        else:
            figures = measure()
            staging = path.with_suffix(".staging")
            staging.write_text(json.dumps(figures))
            staging.replace(path)
        return self.kept(name)

    def kept(self, name: str) -> Figures:
        """Figures of an earlier run; none where there are none."""
        path = self._kept / f"{name}.json"
        found: Figures = json.loads(path.read_text()) if path.is_file() else {}
        return found

    def script(self, name: str, script: str, *arguments: object, python: str = sys.executable) -> Figures:
        """Kept figures, or the JSON that one of this folder's scripts prints as its last line."""
        return self.once(name, lambda: self._run(name, [python, script, *map(str, arguments)]))

    def _run(self, name: str, command: Sequence[str]) -> Figures:
        say(f"{name}: {' '.join(Path(part).name for part in command)}")
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [str(HERE), os.environ.get("PYTHONPATH", "")]))}
        if self.small:
            environment["SERVING_NEW"] = "6"
        log = self._logs / f"{name}.log"
        begin, last = time.monotonic(), ""
        with log.open("w") as errors, _process(command, environment, errors) as child:
            for line in child.stdout or ():
                if line.startswith("{"):
                    last = line
                elif line.startswith("- "):
                    say(f"{name}: {line[2:].rstrip()}")
        if child.returncode or not last:
            raise MeasurementFailed(f"{name} failed; see {log}:\n{log.read_text()[-1500:]}")
        say(f"{name}: {time.monotonic() - begin:.0f} s")
        figures: Figures = json.loads(last)
        return figures


@contextmanager
def _process(command: Sequence[str], environment: dict[str, str], errors: TextIO) -> Iterator[subprocess.Popen[str]]:
    """Ends with the block or with the time, and all that it started with it."""
    child = subprocess.Popen(command, cwd=HERE, env=environment, stdout=subprocess.PIPE, stderr=errors, text=True, start_new_session=True)

    def end() -> None:
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)

    alarm = threading.Timer(LIMIT, end)
    alarm.start()
    try:
        yield child
        child.wait()
    finally:
        alarm.cancel()
        end()
        child.wait()


def say(line: str) -> None:
    print(time.strftime("%H:%M:%S"), line, flush=True)


def tell(line: str) -> None:
    """From within a measurement: a line for who watches."""
    print("-", line, flush=True)
