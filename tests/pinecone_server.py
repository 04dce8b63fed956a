"""A server on loopback that speaks the part of Pinecone's data plane that its client uses, filters as documented included."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np

__all__ = ["PineconeServer", "pinecone_server"]

COMPARE = {
    "$eq": lambda a, b: a == b,
    "$ne": lambda a, b: a != b,
    "$in": lambda a, b: a in b,
    "$nin": lambda a, b: a not in b,
    "$gt": lambda a, b: a > b,
    "$gte": lambda a, b: a >= b,
    "$lt": lambda a, b: a < b,
    "$lte": lambda a, b: a <= b,
}


def matches(where: dict[str, Any], metadata: dict[str, Any]) -> bool:
    for key, value in where.items():
        if key == "$and":
            found = all(matches(one, metadata) for one in value)
        elif key == "$or":
            found = any(matches(one, metadata) for one in value)
        else:
            found = all(
                (key in metadata) is limit if sign == "$exists" else key in metadata and COMPARE[sign](metadata[key], limit)
                for sign, limit in value.items()
            )
        if not found:
            return False
    return True


class PineconeServer:
    """State of one index."""

    def __init__(self, dimension: int) -> None:
        self.dimension = dimension
        self.namespaces: dict[str, dict[str, tuple[list[float], dict[str, Any]]]] = {}
        self.fail = 0
        self.url = ""
        self.keys: set[str | None] = set()

    def answer(self, path: str, body: Any) -> tuple[int, Any]:
        parts = urlsplit(path)
        asked = {**parse_qs(parts.query), **(body or {})}
        name = asked.get("namespace", "")
        name = name[0] if isinstance(name, list) else name
        space = self.namespaces.get(name)
        match parts.path:
            case "/describe_index_stats":
                counts = {key: {"vectorCount": len(rows)} for key, rows in self.namespaces.items() if rows}
                total = sum(len(rows) for rows in self.namespaces.values())
                return 200, {"namespaces": counts, "dimension": self.dimension, "indexFullness": 0.0, "totalVectorCount": total}
            case "/vectors/upsert":
                rows = self.namespaces.setdefault(name, {})
                rows.update({row["id"]: (row["values"], row.get("metadata") or {}) for row in asked["vectors"]})
                return 200, {"upsertedCount": len(asked["vectors"])}
            case "/vectors/fetch":
                found = {one: {"id": one, "values": space[one][0]} for one in asked["ids"] if one in (space or {})}
                return 200, {"vectors": found, "namespace": name}
            case "/vectors/delete" if space is None:
                return 404, {"code": 5, "message": "Namespace not found", "details": []}
            case "/vectors/delete":
                for one in list(space) if asked.get("deleteAll") else asked["ids"]:
                    space.pop(one, None)
                return 200, {}
            case "/query":
                where, vector = asked.get("filter") or {}, np.array(asked["vector"])
                scored = [
                    {"id": one, "score": float(np.dot(values, vector))}
                    for one, (values, meta) in (space or {}).items()
                    if matches(where, meta)
                ]
                best = sorted(scored, key=lambda row: -row["score"])[: asked["topK"]]
                return 200, {"matches": best, "namespace": name}
        return 404, {"message": f"no such path {path}"}


@contextmanager
def pinecone_server(dimension: int) -> Iterator[PineconeServer]:
    state = PineconeServer(dimension)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *args: object) -> None:
            pass

        def _answer(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            state.keys.add(self.headers.get("Api-Key"))
            status, sent = (state.fail, {"message": "told to fail"}) if state.fail else state.answer(self.path, body)
            raw = json.dumps(sent).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        do_GET = do_POST = _answer

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    state.url = f"pinecone://127.0.0.1:{server.server_port}?insecure=1"
    try:
        yield state
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
