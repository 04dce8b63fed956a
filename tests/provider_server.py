"""A provider on loopback: OpenAI's files and fine-tuning jobs, the chat APIs of three providers, and faults on order."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.parser import BytesParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from provider_dialects import DIALECTS, Answer

__all__ = ["KEY", "Fault", "ProviderServer", "provider_server"]

KEY = "sk-test-1234567890"
WAY = ("validating_files", "queued", "running", "succeeded")


@dataclass(frozen=True)
class Fault:
    """What goes wrong with the next request to ``path``: a status, a pause, or a connection that ends without an answer.

    ``before``: what was asked is not done. ``events``: a stream breaks after so many.
    """

    path: str
    status: int = 0
    drop: bool = False
    slow: float = 0.0
    before: bool = True
    headers: dict[str, str] = field(default_factory=dict)
    message: str = "something is wrong"
    code: str | None = None
    param: str | None = None
    events: int | None = None


@dataclass
class Asked:
    """A request as it came."""

    method: str
    path: str
    body: Any
    authorization: str


class ProviderServer:
    """State of the provider. ``say(model, messages)`` is the text that a model answers; ``pause``: seconds between two pieces."""

    def __init__(self, dialect: str = "openai") -> None:
        self.dialect = DIALECTS[dialect]
        self.pause = 0.0
        self.given_up = threading.Event()  # a client ended a stream
        self.lock = threading.RLock()
        self.files: dict[str, bytes] = {}
        self.jobs: dict[str, dict[str, Any]] = {}
        self.ways: dict[str, list[str]] = {}
        self.way: tuple[str, ...] = WAY
        self.faults: list[Fault] = []
        self.asked: list[Asked] = []
        self.say: Callable[[str, list[dict[str, str]]], str | None] = lambda model, messages: "red"
        self.base_url = ""
        self.stop: Callable[[], None] = lambda: None
        self.models: set[str] = set()  # that are there without a job
        self.listed_per_page = 1  # pages are small, so that they are turned
        self.running = threading.Event()

    def count(self, method: str, path: str) -> int:
        return sum(one.method == method and one.path == path for one in self.asked)

    def fault(self, path: str) -> Fault | None:
        with self.lock:
            found = next((fault for fault in self.faults if path.endswith(fault.path)), None)
            if found:
                self.faults.remove(found)
            return found

    def answer(self, method: str, path: str, query: dict[str, list[str]], body: Any) -> tuple[int, Any]:
        with self.lock:
            parts = path.strip("/").split("/")[1:]  # without v1
            match (method, *parts):
                case "POST", "files":
                    return self._upload(body)
                case "POST", "fine_tuning", "jobs":
                    return self._create(body)
                case "GET", "fine_tuning", "jobs":
                    return 200, self._page(list(reversed(self.jobs.values())), query)
                case "GET", "fine_tuning", "jobs", job if job in self.jobs:
                    return 200, self._advance(job)
                case "POST", "fine_tuning", "jobs", job, "cancel" if job in self.jobs:
                    self.ways[job] = ["cancelled"]
                    return 200, self._advance(job)
                case "GET", "fine_tuning", "jobs", job, "events" if job in self.jobs:
                    return 200, {"object": "list", "data": self._events(job), "has_more": False}
                case "GET", "fine_tuning", "jobs", job, "checkpoints" if job in self.jobs:
                    return 200, {"object": "list", "data": self._checkpoints(job), "has_more": False}
        if method == "POST" and path == f"/v1{self.dialect.path}":
            return self._chat(body)  # outside of the lock: several are answered at once
        return 404, self.dialect.error(404, f"Unknown request URL: {method} {path}")

    def _upload(self, form: dict[str, bytes]) -> tuple[int, Any]:
        if form.get("purpose") != b"fine-tune" or "file" not in form:
            return 400, error("purpose must be fine-tune")
        name = f"file-{len(self.files) + 1}"
        self.files[name] = form["file"]
        return 200, {"id": name, "object": "file", "bytes": len(form["file"]), "created_at": 1, "filename": "x", "purpose": "fine-tune",
                     "status": "processed"}  # fmt: skip

    def _create(self, body: dict[str, Any]) -> tuple[int, Any]:
        if body["training_file"] not in self.files:
            return 400, error(f"no such file: {body['training_file']}", param="training_file")
        name = f"ftjob-{len(self.jobs) + 1}"
        kind = body["method"]["type"]
        chosen = {"n_epochs": 3, "batch_size": 1, "learning_rate_multiplier": 1.8, **body["method"][kind]["hyperparameters"]}
        self.jobs[name] = {
            "id": name,
            "object": "fine_tuning.job",
            "created_at": 100,
            "finished_at": None,
            "model": body["model"],
            "fine_tuned_model": None,
            "organization_id": "org",
            "result_files": [],
            "seed": body["seed"],
            "status": "validating_files",
            "trained_tokens": None,
            "training_file": body["training_file"],
            "validation_file": body.get("validation_file"),
            "error": None,
            "hyperparameters": chosen,
            "method": {"type": kind, kind: {"hyperparameters": chosen}},
        }
        self.ways[name] = list(self.way)
        return 200, self.jobs[name]

    def _advance(self, name: str) -> dict[str, Any]:
        job, way = self.jobs[name], self.ways[name]
        job["status"] = way.pop(0) if len(way) > 1 else way[0]
        if job["status"] == "running":
            self.running.set()
        if job["status"] == "succeeded":
            job |= {"fine_tuned_model": f"ft:{job['model']}:org:{name}", "finished_at": 160, "trained_tokens": 4321}
        if job["status"] == "failed":
            job["error"] = {
                "code": "invalid_training_file",
                "message": "the file holds rows that are not allowed",
                "param": "training_file",
            }
        return job

    def _events(self, name: str) -> list[dict[str, Any]]:
        told = [f"Created fine-tuning job: {name}", "Step 1/10: training loss=1.25"]
        return [{"id": f"ev-{i}", "object": "fine_tuning.job.event", "created_at": i, "level": "info", "message": text}
                for i, text in reversed(list(enumerate(told)))]  # fmt: skip

    def _checkpoints(self, name: str) -> list[dict[str, Any]]:
        return [{"id": f"ckpt-{step}", "object": "fine_tuning.job.checkpoint", "created_at": step, "fine_tuning_job_id": name,
                 "fine_tuned_model_checkpoint": f"ft:{name}:step-{step}", "metrics": {"step": step}, "step_number": step}
                for step in (20, 10)]  # fmt: skip

    def _page(self, items: list[dict[str, Any]], query: dict[str, list[str]]) -> dict[str, Any]:
        after = query.get("after", [""])[0]
        start = next((i + 1 for i, item in enumerate(items) if item["id"] == after), 0)
        page = items[start : start + self.listed_per_page]
        return {"object": "list", "data": page, "has_more": start + len(page) < len(items)}

    def _chat(self, body: dict[str, Any]) -> tuple[int, Any]:
        fault = self.dialect.fault(body)
        if fault:
            return fault
        if body["model"] not in self.models | {job["fine_tuned_model"] for job in self.jobs.values()}:
            return 404, self.dialect.error(404, f"The model {body['model']} does not exist", code="model_not_found")
        turns = self.dialect.turns(body)
        text = self.say(body["model"], turns)
        read = sum(len(turn["content"].split()) for turn in turns)
        said, limit = (text or "").split(" "), self.dialect.limit(body)
        cut = text is not None and len(said) > limit
        answer = Answer(body["model"], " ".join(said[:limit]) if cut else text, cut, read, min(len((text or "").split()), limit))
        if body.get("stream"):
            return 200, self.dialect.events(answer, body)
        return 200, self.dialect.whole(answer)


def error(message: str, kind: str = "invalid_request_error", *, code: str | None = None, param: str | None = None) -> dict[str, Any]:
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body in one packet: in two, the second waits 40 ms
    provider: ProviderServer

    def log_message(self, *args: Any) -> None:
        pass

    def do_GET(self) -> None:
        self.reply("GET")

    def do_POST(self) -> None:
        self.reply("POST")

    def reply(self, method: str) -> None:
        url = urlsplit(self.path)
        asked = (method, url.path, parse_qs(url.query), self.read())
        authorization, dialect = self.headers.get("Authorization", ""), self.provider.dialect
        self.provider.asked.append(Asked(method, url.path, asked[-1], authorization))
        sent = dialect.key(self.headers)
        if sent != KEY:
            self.send(401, dialect.error(401, f"Incorrect API key provided: {sent}.", code="invalid_api_key"), {})
            return
        fault = self.provider.fault(url.path)
        if fault is None:
            self.send(*self.provider.answer(*asked), {})
        else:
            self.fail(fault, asked)

    def fail(self, fault: Fault, asked: Any) -> None:
        answer = None if fault.before else self.provider.answer(*asked)
        time.sleep(fault.slow)
        if fault.drop:
            self.close_connection = True
        elif fault.events is not None:
            status, events = self.provider.answer(*asked)
            self.send(status, [*events[: fault.events], self.provider.dialect.broken()], {})
        elif fault.status:
            told = self.provider.dialect.error(fault.status, fault.message, code=fault.code, param=fault.param)
            self.send(fault.status, told, fault.headers)
        else:
            self.send(*(answer or self.provider.answer(*asked)), {})

    def read(self) -> Any:
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        kind = self.headers.get("Content-Type", "")
        if kind.startswith("multipart/form-data"):
            message = BytesParser().parsebytes(b"Content-Type: " + kind.encode() + b"\r\n\r\n" + raw)
            return {part.get_param("name", header="content-disposition"): part.get_payload(decode=True) for part in message.get_payload()}
        return json.loads(raw) if raw else None

    def stream(self, events: list[str]) -> None:
        """Events as they come, until the client has enough."""
        self.close_connection = True
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        try:
            for event in events:
                self.wfile.write(event.encode())
                self.wfile.flush()
                time.sleep(self.provider.pause)
        except OSError:
            self.provider.given_up.set()

    def send(self, status: int, body: Any, headers: dict[str, str]) -> None:
        if isinstance(body, list):
            self.stream(body)
            return
        text = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", "Content-Length": str(len(text)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(text)


@contextmanager
def provider_server(dialect: str = "openai") -> Iterator[ProviderServer]:
    """A provider that listens on loopback for the block."""
    server = ProviderServer(dialect)
    http = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), {"provider": server}))
    http.daemon_threads = True
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    server.base_url = f"http://127.0.0.1:{http.server_address[1]}/v1"

    def stop() -> None:
        http.shutdown()
        http.server_close()

    server.stop = stop
    try:
        yield server
    finally:
        stop()
