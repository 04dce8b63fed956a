"""A server that speaks vLLM's wire protocol as its own documentation and answers show it, on a tiny model, on the loopback."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import torch

from hatrack.models.adapters.base import read_variants
from hatrack.models.adapters.switch import place, remove
from hatrack.models.host import ModelHost
from hatrack.models.loading import open_base

KEY = "secret"


class VllmStandIn:
    """``requests`` holds every body that came; ``fault`` is answered instead of the next completion.

    ``breaks_off_after``: tokens after which a stream ends in its midst; ``die`` ends all of them so, and the server.
    """

    def __init__(self, base: Path, port: int = 0) -> None:
        self.host = ModelHost(open_base(str(base)))
        self.requests: list[tuple[str, dict[str, Any]]] = []
        self.loaded: dict[str, tuple[str, ...]] = {}
        self.most = 0  # adapters that were loaded at the same time
        self.breaks_off_after: int | None = None
        self.dead = False
        self.fault: tuple[int, dict[str, str], dict[str, Any]] | None = None
        self.lock = threading.Lock()
        self.server = ThreadingHTTPServer(("127.0.0.1", port), type("Handler", (_Handler,), {"owner": self}))
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.port = self.server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"

    def die(self) -> None:
        self.dead = True
        self.close()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def load(self, name: str, path: str) -> None:
        config = json.loads((Path(path) / "adapter_config.json").read_text())
        assert set(config) == {"peft_type", "task_type", "r", "lora_alpha", "bias", "target_modules"}
        with self.lock:
            variants = read_variants(Path(path), self.host.module)
            place(self.host.module, variants, name, self.host._active)
            self.loaded[name] = tuple(variants)
            self.most = max(self.most, len(self.loaded))

    def unload(self, name: str) -> None:
        with self.lock:
            remove(self.host.module, self.loaded.pop(name), name)

    def logprobs(self, ids: list[int], model: str) -> torch.Tensor:
        """``[tokens, vocabulary]``."""
        with self.lock, torch.inference_mode():
            self.host._active.name = model
            try:
                return torch.log_softmax(self.host.module(input_ids=torch.tensor([ids])).logits[0], dim=-1)
            finally:
                self.host._active.name = "base"


class _Handler(BaseHTTPRequestHandler):
    owner: VllmStandIn
    protocol_version = "HTTP/1.1"

    def log_message(self, *args: Any) -> None:
        pass

    def answer(self, status: int, content: Any, headers: dict[str, str] | None = None) -> None:
        data = content.encode() if isinstance(content, str) else json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/plain" if isinstance(content, str) else "application/json")
        self.send_header("Content-Length", str(len(data)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def refuse(self, status: int, message: str) -> None:
        self.answer(status, {"error": {"message": message, "type": "BadRequestError", "param": None, "code": status}})

    def allowed(self) -> bool:
        if self.headers["Authorization"] == f"Bearer {KEY}":
            return True
        self.answer(401, {"error": "Unauthorized"})
        return False

    def do_GET(self) -> None:
        if self.owner.dead:
            self.close_connection = True
        elif self.allowed():
            adapters = [{"id": name, "object": "model", "parent": "base"} for name in self.owner.loaded]
            self.answer(200, {"object": "list", "data": [{"id": "base", "object": "model", "parent": None}, *adapters]})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.owner.dead:  # a connection that was kept open
            self.close_connection = True
            return None
        if not self.allowed():
            return None
        owner = self.owner
        owner.requests.append((self.path, body))
        name = body.get("lora_name", "")
        if self.path == "/v1/load_lora_adapter":
            if name in owner.loaded:
                return self.refuse(400, f"The lora adapter '{name}' has already been loaded.")
            try:
                owner.load(name, body["lora_path"])
            except ValueError as error:
                return self.refuse(500, str(error))
            return self.answer(200, f"Success: LoRA adapter '{name}' added successfully.")
        if self.path == "/v1/unload_lora_adapter":
            if name not in owner.loaded:
                return self.refuse(404, f"The lora adapter '{name}' cannot be found.")
            owner.unload(name)
            return self.answer(200, f"Success: LoRA adapter '{name}' removed successfully.")
        fault, owner.fault = owner.fault, None
        if fault:
            return self.answer(fault[0], fault[2], fault[1])
        if body["model"] not in ("base", *owner.loaded):
            return self.refuse(404, f"The model `{body['model']}` does not exist.")
        return self.stream(body) if body.get("stream") else self.whole(body)

    def whole(self, body: dict[str, Any]) -> None:
        best = self.owner.logprobs(body["prompt"], body["model"])[-1].topk(body["logprobs"])
        top = {f"token_id:{i}": float(score) for i, score in zip(best.indices.tolist(), best.values.tolist(), strict=True)}
        self.answer(200, {"choices": [{"index": 0, "text": "", "logprobs": {"top_logprobs": [top]}, "finish_reason": "length"}]})

    def stream(self, body: dict[str, Any]) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream; charset=utf-8")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        ids, stops, shown = list(body["prompt"]), set(body["stop_token_ids"]), body.get("logprobs")
        for count in range(1, body["max_tokens"] + 1):
            scores = self.owner.logprobs(ids, body["model"])[-1]
            token = int(scores.argmax())
            ids.append(token)
            choice: dict[str, Any] = {"index": 0, "text": "", "token_ids": [token], "logprobs": None, "finish_reason": None}
            if shown is not None:
                best = scores.topk(max(1, shown))
                top = {f"token_id:{i}": float(score) for i, score in zip(best.indices.tolist(), best.values.tolist(), strict=True)}
                choice["logprobs"] = {"token_logprobs": [float(scores[token])], "top_logprobs": [top]}
            if token in stops:
                choice["finish_reason"] = "stop"
            elif count == body["max_tokens"]:
                choice["finish_reason"] = "length"
            try:
                self.wfile.write(f"data: {json.dumps({'choices': [choice]})}\n\n".encode())
                self.wfile.flush()
            except OSError:
                return  # nobody listens any more
            if self.owner.dead or count == self.owner.breaks_off_after:
                return
            if choice["finish_reason"]:
                break
        self.wfile.write(b"data: [DONE]\n\n")
