"""What was asked, for finding drift: opt-in, one file of JSON lines for each adapter, personal data masked before it is written.

An answer is kept only where it is one of the adapter's labels. The file never grows beyond its limit: its older half goes.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from hatrack.answering.route import routed_text
from hatrack.core.atomic import write_text
from hatrack.core.chat import Message
from hatrack.core.config_prepare import PiiPolicy
from hatrack.core.config_watch import WatchSettings
from hatrack.core.names import valid_name
from hatrack.safety.redact import Redactor
from hatrack.serving.request import Event, Finished, Piece

__all__ = ["LoggedRequest", "RequestLog", "read_requests"]

_log = logging.getLogger("hatrack.requests_log")
_LONGEST = 8000  # characters of a question that are kept


@dataclass(frozen=True)
class LoggedRequest:
    """One request as the file holds it. ``at``: Unix seconds. ``label`` is empty, ``confidence`` None where there is none."""

    at: float
    version: str
    text: str
    label: str
    confidence: float | None


class RequestLog:
    """Thread-safe. A disk that refuses is said once in the log of the server, and nobody's answer waits for it.

    Args:
        folder: where the files are.
    """

    def __init__(self, folder: Path, settings: WatchSettings) -> None:
        self.enabled = settings.log_requests
        self._folder, self._most = folder, int(settings.log_mb * 1e6)
        self._redactor = Redactor(PiiPolicy(mode="mask")) if self.enabled else None
        self._lock = threading.Lock()
        self._warned = False

    def listening(
        self, adapter: str, version: str, messages: Sequence[Message], labels: Sequence[str], emit: Callable[[Event], None]
    ) -> Callable[[Event], None]:
        """``emit``, or one that notes the request when its answer is whole. Masking is done now, not in the engine's thread."""
        said = routed_text(messages)
        if not self.enabled or not said:
            return emit
        text = self._masked(said)
        pieces: list[str] = []

        def listen(event: Event) -> None:
            if isinstance(event, Piece):
                pieces.append(event.text)
            elif isinstance(event, Finished) and event.reason != "cancelled":
                answer = "".join(pieces).strip()
                self._write(adapter, version, text, answer if answer in labels else "", None)
            emit(event)

        return listen

    def note(self, adapter: str, version: str, texts: Sequence[str], labels: Sequence[str], confidences: Sequence[float | None]) -> None:
        """Note texts that were labelled."""
        if self.enabled:
            for text, label, confidence in zip(texts, labels, confidences, strict=True):
                self._write(adapter, version, self._masked(text), label, confidence)

    def _masked(self, text: str) -> str:
        return self._redactor.apply([text]).texts[0][:_LONGEST] if self._redactor else ""

    def _write(self, adapter: str, version: str, text: str, label: str, confidence: float | None) -> None:
        row = {"at": round(time.time(), 3), "version": version, "text": text, "label": label, "confidence": confidence}
        line = json.dumps(row, ensure_ascii=False) + "\n"
        path = self._folder / f"{adapter}.jsonl"
        try:
            with self._lock:
                path.parent.mkdir(parents=True, exist_ok=True)
                with path.open("a", encoding="utf-8", errors="replace") as stream:
                    stream.write(line)
                    size = stream.tell()
                if size > self._most:
                    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
                    write_text(path, "".join(lines[len(lines) // 2 :]))
        except OSError as error:
            if not self._warned:
                self._warned = True
                _log.warning("requests are not logged for drift: %s", error)


def read_requests(folder: Path, adapter: str, version: str, most: int) -> list[LoggedRequest]:
    """The newest ``most`` requests that a version answered, oldest first; lines that are no such record are passed over."""
    path = folder / f"{adapter}.jsonl"
    if not valid_name(adapter) or not path.is_file():
        return []
    found = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            row = json.loads(line)
            request = LoggedRequest(float(row["at"]), str(row["version"]), str(row["text"]), str(row["label"]), row["confidence"])
        except (ValueError, LookupError, TypeError):
            continue  # the last line of a server that was killed
        if request.version == version:
            found.append(request)
    return found[-most:]
