"""Projects served by each engine: who holds the base, what the config says, and a real vLLM server where one is installed."""

from __future__ import annotations

import os
import queue
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from hatrack.core.config_file import read_config
from hatrack.core.project import Project
from hatrack.serving.request import Finished, Piece, SamplingParams
from hatrack.serving.service import ModelService
from hatrack.serving.settings import EngineSettings
from tiny_gguf import write_gguf
from vllm_server import KEY, VllmStandIn

__all__ = ["Heard", "ask", "open_engine", "service_of"]

REAL = "HATRACK_TEST_VLLM"
SETTINGS = {"slots": 2, "rank": 8, "context": 256, "kv_gb": 0.02, "rows": 8, "chunk": 32, "precision": "fp32"}


def open_engine(name: str, base: Path, folder: Path) -> tuple[dict[str, Any], Any]:
    """The section ``serve`` for an engine, and what must be closed at the end, if anything."""
    if name == "llamacpp":
        pytest.importorskip("xllamacpp", reason='pip install "hatrack[llamacpp]"')
        return {"engine": name, "llamacpp": {"gguf": str(write_gguf(base, folder / "base.gguf")), "threads": 1}}, None
    if name == "vllm":
        server = VllmStandIn(base)
        return {"engine": name, "vllm": {"url": server.url, "timeout": 20}}, server
    if name == "vllm-real":
        if REAL not in os.environ:
            pytest.skip(f"{REAL} names no Python with vLLM")
        process = RealVllm(os.environ[REAL], base, folder)
        return {"engine": "vllm", "vllm": {"url": process.url, "timeout": 60}}, process
    return {"engine": name}, None


def service_of(root: Path, serve: dict[str, Any], **changes: Any) -> ModelService:
    """A started service."""
    path = root / "hatrack.yaml"
    config = yaml.safe_load(path.read_text(encoding="utf-8"))
    path.write_text(yaml.safe_dump({**config, "serve": serve}), encoding="utf-8")
    service = ModelService(Project(root), read_config(root), EngineSettings(**{**SETTINGS, **changes}))
    service.start()
    return service


class Heard:
    """Collects one answer's events."""

    def __init__(self) -> None:
        self.events: queue.Queue[Any] = queue.Queue()

    def wait(self, seconds: float = 60) -> tuple[list[Piece], Any]:
        pieces = []
        while isinstance(event := self.events.get(timeout=seconds), Piece):
            pieces.append(event)
        return pieces, event

    def text(self) -> tuple[str, Finished]:
        pieces, end = self.wait()
        assert isinstance(end, Finished), end
        return "".join(piece.text for piece in pieces), end


def ask(service: ModelService, name: str, prompt: list[int], tenant: str = "", **params: Any) -> Heard:
    heard = Heard()
    heard.request = service.submit(  # type: ignore[attr-defined]
        service.resolve(name), prompt, SamplingParams(**{"max_tokens": 12, **params}), heard.events.put, tenant
    )
    return heard


class RealVllm:
    """vLLM itself, in its own environment."""

    def __init__(self, python: str, base: Path, folder: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        environment = {**os.environ, "VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_ALLOW_RUNTIME_LORA_UPDATING": "True", "VLLM_API_KEY": KEY}
        environment.pop("PYTHONPATH", None)
        arguments = ["-m", "vllm.entrypoints.openai.api_server", "--model", str(base), "--served-model-name", "base", "--enable-lora"]
        sizes = ["--max-loras", "8", "--max-lora-rank", "16", "--dtype", "float32", "--enforce-eager", "--max-model-len", "512"]
        self.log = folder / "vllm.log"
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [python, *arguments, *sizes, "--host", "127.0.0.1", "--port", str(port)],
                env=environment,
                stdout=log,
                stderr=log,
                start_new_session=True,  # its workers are ended with it
            )
        self._wait()

    def _wait(self) -> None:
        end = time.monotonic() + 300
        while time.monotonic() < end and self.process.poll() is None:
            try:
                if httpx.get(f"{self.url}/health", timeout=2).status_code == 200:
                    return
            except httpx.HTTPError:
                time.sleep(1)
        self.close()
        raise RuntimeError(self.log.read_text()[-3000:])

    def close(self) -> None:
        os.killpg(self.process.pid, signal.SIGTERM)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
