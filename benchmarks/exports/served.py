"""The folder of format ``vllm``, started by its own script and asked like every other foreign tool; vLLM has its own environment."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

_PATIENCE = 300  # seconds until it must be up


class Served:
    """vLLM with one adapter, on the loopback. One request at a time."""

    tool = "vLLM"

    def __init__(self, python: str, folder: Path, name: str, scratch: Path) -> None:
        """Args: python: of vLLM's environment. folder: the export. name: of the adapter in it. scratch: for log and command."""
        command = scratch / "bin" / "vllm"  # the CPU wheel brings no command of its own
        command.parent.mkdir(parents=True, exist_ok=True)
        command.write_text(f'#!/bin/sh\nshift\nexec {python} -m vllm.entrypoints.openai.api_server --model "$@"\n')
        command.chmod(0o755)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = str(free.getsockname()[1])
        self._url, self._name = f"http://127.0.0.1:{port}", name
        environment = {**os.environ, "PATH": f"{command.parent}:{os.environ['PATH']}", "VLLM_CPU_KVCACHE_SPACE": "1"}
        environment.pop("PYTHONPATH", None)
        options = ["--host", "127.0.0.1", "--port", port, "--dtype", "float32", "--enforce-eager", "--max-model-len", "512"]
        self._log = scratch / "vllm.log"
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                ["sh", "serve.sh", *options], cwd=folder, env=environment, stdout=log, stderr=log, start_new_session=True
            )
        self._wait()

    def logits(self, inputs: Sequence[Sequence[int]]) -> Any:
        raise NotImplementedError("a server tells tokens")

    def generate(self, prompts: Sequence[Sequence[int]], stop_ids: frozenset[int], most: int) -> list[tuple[int, ...]]:
        answers = []
        for prompt in prompts:
            body = {"model": self._name, "prompt": list(prompt), "max_tokens": most, "temperature": 0, "stop_token_ids": sorted(stop_ids)}
            [choice] = self._post("/v1/completions", {**body, "return_token_ids": True})["choices"]
            said = choice["token_ids"]
            end = next((place for place, token in enumerate(said) if token in stop_ids), len(said))
            answers.append(tuple(said[:end]))
        return answers

    def close(self) -> None:
        os.killpg(self._process.pid, signal.SIGTERM)
        self._process.wait(60)

    def _wait(self) -> None:
        end = time.monotonic() + _PATIENCE
        while time.monotonic() < end and self._process.poll() is None:
            try:
                with urllib.request.urlopen(f"{self._url}/health", timeout=2) as answer:
                    if answer.status == 200:
                        return
            except OSError:
                time.sleep(1)
        raise RuntimeError(self._log.read_text()[-3000:])

    def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        asked = urllib.request.Request(self._url + path, json.dumps(body).encode(), {"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(asked, timeout=120) as answer:
                found: dict[str, Any] = json.load(answer)
        except urllib.error.HTTPError as error:
            raise RuntimeError(error.read().decode()[:2000]) from error
        return found
