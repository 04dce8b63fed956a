"""As much of the Hugging Face hub as a download asks for, on loopback: a repository's commit, its files, and each of them."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

__all__ = ["HubServer", "hub_server"]

_COMMIT = "c" * 40


@dataclass
class HubServer:
    """Where it listens, and the names of the files that were asked for."""

    url: str
    asked: set[str] = field(default_factory=set)


@contextmanager
def hub_server(repository: str, folder: Path) -> Iterator[HubServer]:
    """The files of ``folder`` are those of ``repository``."""
    hub = HubServer("")

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *args: Any) -> None:
            pass

        def _say(self, status: int, body: bytes, **headers: str) -> None:
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name.replace("_", "-"), value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            if path == f"/api/models/{repository}/revision/main":
                return self._say(200, json.dumps({"id": repository, "sha": _COMMIT}).encode())
            if path == f"/api/models/{repository}/tree/{_COMMIT}":
                return self._say(200, json.dumps([_entry(file) for file in sorted(folder.iterdir())]).encode())
            start, _, name = path.rpartition("/")
            if start != f"/{repository}/resolve/{_COMMIT}" or not (folder / name).is_file():
                return self._say(404, b"", X_Error_Code="EntryNotFound")
            hub.asked.add(name)
            content = (folder / name).read_bytes()
            return self._say(200, content, ETag=f'"{_oid(content)}"', X_Repo_Commit=_COMMIT)

        do_HEAD = do_GET

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hub.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _entry(file: Path) -> dict[str, Any]:
    content = file.read_bytes()
    return {"type": "file", "path": file.name, "size": len(content), "oid": _oid(content)}


def _oid(content: bytes) -> str:
    """What git calls a file of this content."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
