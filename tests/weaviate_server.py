"""A server on loopback that speaks the part of Weaviate's REST and GraphQL protocol that the store uses.

As documented: classes begin with a capital, property names know few characters, a filter on an unknown property or with the
wrong kind of value is an error, text that is indexed as a ``field`` loses the blanks at its ends, ``NotEqual`` is everything
but what is equal. ``fail`` makes it answer with a status.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np

from graphql_words import parse_query

__all__ = ["WeaviateServer", "weaviate_server"]

VALUES = {"valueText": "text", "valueNumber": "number", "valueBoolean": "boolean"}
COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "Equal": lambda a, b: a == b,
    "GreaterThan": lambda a, b: a > b,
    "GreaterThanEqual": lambda a, b: a >= b,
    "LessThan": lambda a, b: a < b,
    "LessThanEqual": lambda a, b: a <= b,
}


class Refused(Exception):
    """Answered with a status and a message."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class WeaviateServer:
    """State of the server."""

    def __init__(self) -> None:
        self.classes: dict[str, dict[str, Any]] = {}
        self.objects: dict[str, dict[str, dict[str, Any]]] = {}
        self.lock = threading.Lock()
        self.fail = 0
        self.graphql_off = False
        self.url = ""
        self.keys: set[str | None] = set()

    def answer(self, method: str, path: str, body: Any) -> Any:
        match [method, *path.removeprefix("/v1/").split("/")]:
            case ["POST", "schema"]:
                return self.add_class(body)
            case ["GET", "schema", name]:
                return self.known(name, 404)
            case ["DELETE", "schema", name]:
                self.classes.pop(name, None)
                self.objects.pop(name, None)
                return None
            case ["POST", "schema", name, "properties"]:
                return self.add_property(name, body)
            case ["POST", "batch", "objects"]:
                return [self.put(one) for one in body["objects"]]
            case ["DELETE", "batch", "objects"]:
                return self.remove(body["match"]["class"], body["match"]["where"])
            case ["POST", "graphql"]:
                return self.graphql(body["query"])
        raise Refused(405, f"{method} {path}")

    def add_class(self, body: dict[str, Any]) -> Any:
        if not re.fullmatch(r"[A-Z][_0-9A-Za-z]*", body["class"]) or body["class"] in self.classes:
            raise Refused(422, f"{body['class']} is no name, or is taken")
        self.classes[body["class"]] = {**body, "properties": []}
        self.objects[body["class"]] = {}
        for one in body["properties"]:
            self.add_property(body["class"], one)
        return self.classes[body["class"]]

    def remove(self, name: str, where: dict[str, Any]) -> Any:
        gone = [one for one in self.objects[self.known(name)["class"]] if self.matches(name, one, where, "Array")]
        for one in gone:
            del self.objects[name][one]
        return {"results": {"matches": len(gone), "successful": len(gone), "failed": 0, "limit": 10_000}}

    def graphql(self, query: str) -> Any:
        if self.graphql_off:
            raise Refused(404, "graphql is disabled")
        try:
            return {"data": {root: {name: self.query(root, name, *rest)} for root, name, *rest in parse_query(query)}}
        except Refused as error:
            return {"errors": [{"message": str(error)}]}

    def known(self, name: str, status: int = 422) -> dict[str, Any]:
        if name not in self.classes:
            raise Refused(status, f"class {name} does not exist")
        return self.classes[name]

    def add_property(self, name: str, made: dict[str, Any]) -> Any:
        known, new = self.known(name)["properties"], made["name"][:1].lower() + made["name"][1:]
        if not re.fullmatch(r"[_A-Za-z][_0-9A-Za-z]{0,230}", new) or new in {one["name"] for one in known}:
            raise Refused(422, f"{new} is no name, or is taken")
        known.append({**made, "name": new})
        return known[-1]

    def types(self, name: str) -> dict[str, str]:
        return {one["name"]: one["dataType"][0].removesuffix("[]") for one in self.known(name)["properties"]}

    def put(self, one: dict[str, Any]) -> dict[str, Any]:
        types, rows = self.types(one["class"]), self.objects[one["class"]]
        wrong = [key for key in one["properties"] if key not in types]
        sizes = {len(row["vector"]) for row in rows.values()} | {len(one["vector"])}
        if wrong or len(sizes) > 1:
            return {**one, "result": {"status": "FAILED", "errors": {"error": [{"message": f"{wrong} {sizes}"}]}}}
        rows[one["id"]] = one
        return {**one, "result": {"status": "SUCCESS"}}

    def query(self, root: str, name: str, arguments: dict[str, Any], wanted: list[str]) -> Any:
        rows = self.objects[self.known(name)["class"]]
        found = [one for one in rows if self.matches(name, one, arguments.get("where"))]
        if root == "Aggregate":
            return [{"meta": {"count": len(found)}}]
        near = arguments.get("nearVector")
        distance = {one: -float(np.dot(rows[one]["vector"], near["vector"])) if near else None for one in found}
        found = sorted(found, key=lambda one: distance[one] or 0)[: arguments["limit"]]
        told = [{"id": one, "distance": distance[one], "vector": rows[one]["vector"]} for one in found]
        return [{"_additional": {key: row[key] for key in wanted}} for row in told]

    def matches(self, name: str, one: str, where: dict[str, Any] | None, ending: str = "") -> bool:
        if where is None:
            return True
        operator = where["operator"]
        if operator in ("And", "Or"):
            return (all if operator == "And" else any)([self.matches(name, one, part, ending) for part in where["operands"]])
        (path,) = where["path"]
        if path == "id":
            return operator == "ContainsAny" and one in where["valueText" + ending]
        ((key, limit),) = [(key, value) for key, value in where.items() if key.startswith("value")]
        if self.types(name).get(path) != VALUES.get(key):
            raise Refused(422, f"no property {path} of kind {key} in {name}")
        value = self.objects[name][one]["properties"].get(path)
        values = [each.strip() if isinstance(each, str) else each for each in (value if isinstance(value, list) else [value])]
        limit = limit.strip() if isinstance(limit, str) else limit
        if operator == "NotEqual":
            return limit not in values
        return any(each is not None and COMPARE[operator](each, limit) for each in values)


@contextmanager
def weaviate_server() -> Iterator[WeaviateServer]:
    state = WeaviateServer()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def log_message(self, *args: object) -> None:
            pass

        def _answer(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            state.keys.add(self.headers.get("Authorization"))
            status, sent = state.fail or 200, None if not state.fail else {"error": [{"message": "told to fail"}]}
            if not state.fail:
                with state.lock:
                    try:
                        sent = state.answer(self.command, self.path, body)
                    except Refused as error:
                        status, sent = error.status, {"error": [{"message": str(error)}]}
            raw = b"" if sent is None else json.dumps(sent).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        do_GET = do_POST = do_DELETE = _answer

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    state.url = f"weaviate://127.0.0.1:{server.server_port}"
    try:
        yield state
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
