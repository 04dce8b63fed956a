"""POST /v1/embeddings on loopback, as OpenAI documents it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from hatrack.models.embedders.base import open_embedder

__all__ = ["EmbeddingsServer", "embeddings_server"]


@dataclass
class EmbeddingsServer:
    """Where it listens."""

    url: str


@contextmanager
def embeddings_server(missing: int = 0) -> Iterator[EmbeddingsServer]:
    """Gives hashed vectors of length two, in reversed order; leaves the last ``missing`` out."""
    hashing = open_embedder("hashing:32")

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *args: object) -> None:
            pass

        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            right = self.path == "/v1/embeddings" and self.headers["Authorization"] == "Bearer key-of-the-test"
            texts = asked["input"][: len(asked["input"]) - missing]
            data = [{"object": "embedding", "index": i, "embedding": (2 * v).tolist()} for i, v in enumerate(hashing.passages(texts))]
            body = {"object": "list", "data": data[::-1], "model": asked["model"], "usage": {"prompt_tokens": 1, "total_tokens": 1}}
            sent = json.dumps(body if right else {"error": {"message": "no"}}).encode()
            self.send_response(200 if right else 401)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(sent)))
            self.end_headers()
            self.wfile.write(sent)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield EmbeddingsServer(f"http://127.0.0.1:{server.server_port}/v1")
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
