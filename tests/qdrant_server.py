"""A server on loopback that speaks the part of Qdrant's REST protocol that its client uses for points and collections.

Requests and answers have the shapes of the client's own models, which are generated from Qdrant's OpenAPI document; what is
asked is computed by the client's in-memory mode. ``fail`` makes it answer with a status.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from qdrant_client import QdrantClient, models

__all__ = ["QdrantServer", "qdrant_server"]


class QdrantServer:
    """State of the server."""

    def __init__(self) -> None:
        self.engine = QdrantClient(":memory:")
        self.lock = threading.Lock()
        self.url = ""
        self.fail = 0
        self.keys: list[str | None] = []

    def answer(self, method: str, path: str, body: Any) -> Any:
        name = re.match(r"/collections/([^/]+)", path).group(1)
        rest = path.removeprefix(f"/collections/{name}")
        match method, rest:
            case "GET", "/exists":
                return {"exists": self.engine.collection_exists(name)}
            case "GET", "":
                return self.engine.get_collection(name)
            case "PUT", "":
                return self.engine.create_collection(name, vectors_config=models.VectorParams(**body["vectors"]))
            case "DELETE", "":
                return self.engine.delete_collection(name)
            case "PUT", "/points":
                return self.engine.upsert(name, [models.PointStruct(**point) for point in body["points"]])
            case "POST", "/points/delete":
                return self.engine.delete(name, models.PointIdsList(points=body["points"]))
            case "POST", "/points":
                return self.engine.retrieve(name, body["ids"], with_payload=False, with_vectors=True)
            case "POST", "/points/count":
                return self.engine.count(name)
            case "POST", "/points/query":
                vector = body["query"]["nearest"] if isinstance(body["query"], dict) else body["query"]
                where = models.Filter(**body["filter"]) if body.get("filter") else None
                return self.engine.query_points(name, vector, query_filter=where, limit=body["limit"], with_payload=False)
        raise LookupError(f"{method} {path}")


def plain(value: Any) -> Any:
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json", exclude_none=True)
    return [plain(one) for one in value] if isinstance(value, list) else value


@contextmanager
def qdrant_server() -> Iterator[QdrantServer]:
    state = QdrantServer()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *args: object) -> None:
            pass

        def _answer(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            state.keys.append(self.headers.get("api-key"))
            status, sent = state.fail, {"status": {"error": "told to fail"}, "time": 0.0}
            if not status:
                with state.lock:
                    try:
                        found = plain(state.answer(self.command, self.path.partition("?")[0], body))
                        status, sent = 200, {"result": found, "status": "ok", "time": 0.0}
                    except (LookupError, ValueError, TypeError) as error:
                        status, sent = 404, {"status": {"error": f"{type(error).__name__}: {error}"}, "time": 0.0}
            raw = json.dumps(sent).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        do_GET = do_PUT = do_POST = do_DELETE = _answer

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    state.url = f"qdrant://127.0.0.1:{server.server_port}"
    try:
        yield state
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
