"""The faults of the engines for docs/errors.md: servers that are away, or are not what the project needs."""

from __future__ import annotations

import sys
from typing import Any

import error_cases_serve  # noqa: F401  # its cases come first on the page
from error_place import Place, fault
from projects import write_project
from tiny_gguf import write_gguf
from vllm_server import KEY, VllmStandIn

__all__: list[str] = []


def _served_by(at: Place, **serve: Any) -> None:
    at.project(task="instruct")
    write_project(at.root, at.causal, {"first": {"data": "data.jsonl", "task": "instruct"}}, serve=serve)


def _vllm(at: Place, **vllm: Any) -> None:
    server = VllmStandIn(at.causal)
    at.ends.append(server.close)
    _served_by(at, engine="vllm", vllm={"url": server.url, "key_env": "NO_SUCH_KEY", **vllm})


def _other_base(at: Place) -> None:
    at.patch.setenv("VLLM_KEY_OF_TEST", KEY)
    _vllm(at, key_env="VLLM_KEY_OF_TEST", model="legal")


def _no_gguf(at: Place) -> None:
    _served_by(at, engine="llamacpp", llamacpp={"gguf": "base.gguf"})
    (at.root / "base.gguf").write_bytes(b"no GGUF")


def _without_xllamacpp(at: Place) -> None:
    _served_by(at, engine="llamacpp", llamacpp={"gguf": "base.gguf"})
    write_gguf(at.causal, at.root / "base.gguf")
    at.patch.setitem(sys.modules, "xllamacpp", None)


def _without_httpx(at: Place) -> None:
    _served_by(at, engine="vllm")
    at.patch.setitem(sys.modules, "httpx", None)


SERVE = "serve --port 0"

fault("an unknown engine", SERVE, lambda at: _served_by(at, engine="vlm"), "vlm", "did you mean vllm")
fault(
    "the vllm server is away",
    SERVE,
    lambda at: _served_by(at, engine="vllm", vllm={"url": "http://127.0.0.1:9"}),
    "vllm server does not answer",
    "serve.vllm",
)
fault("the vllm server wants another key", SERVE, _vllm, "wants another key", "environment")
fault("the vllm server serves another base", SERVE, _other_base, "does not serve the base under this name", "legal", "serve.vllm.model")
fault("no package for the engine vllm", SERVE, _without_httpx, "httpx", "hatrack[vllm]")
fault("no package for the engine llamacpp", SERVE, _without_xllamacpp, "xllamacpp", "hatrack[llamacpp]")
fault("a base without a GGUF file", SERVE, lambda at: _served_by(at, engine="llamacpp"), "GGUF file", "serve.llamacpp.gguf")
fault("a GGUF file that is none", SERVE, _no_gguf, "GGUF file cannot be read", "serve.llamacpp.gguf")
