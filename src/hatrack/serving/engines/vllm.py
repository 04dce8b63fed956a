"""The engine ``vllm``: a vLLM server by URL (Kwon et al. 2023), which gets our adapters pushed and answers in tokens.

    place 3 ◄─ "legal-1.2.0-4f0c..." ◄─ POST /v1/load_lora_adapter     the name holds the digest: another version, other keys (F24)
    prompt ids ─► POST /v1/completions, stream ─► token ids             text is made here, as with every engine

The server must be started with --enable-lora and VLLM_ALLOW_RUNTIME_LORA_UPDATING=True, and must see the project's cache.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Generator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from hatrack.core.digest import sha256_text
from hatrack.core.errors import AdapterError, EngineError, HatrackError, RequestError
from hatrack.core.lineage import Manifest
from hatrack.models.adapters.plain_lora import is_plain_lora, write_plain_lora
from hatrack.models.adapters.probe import read_probe
from hatrack.serving.engines.backend import Step
from hatrack.serving.engines.base import EngineParts
from hatrack.serving.engines.dispatch import Dispatcher
from hatrack.serving.engines.replicas import Replicas
from hatrack.serving.engines.wire import ServerFailed, ServerLostAdapter, Wire
from hatrack.serving.request import Request, SamplingParams, TokenChoice

__all__ = ["open_vllm"]

_ROWS = 1024  # the server has its own limit and its own queue
_SHOWN = 20  # log-probabilities that a server tells unless it was started with a --max-logprobs of its own
_HEALTH = 5.0  # seconds
_ID = "token_id:"  # how vLLM writes tokens as ids


def open_vllm(parts: EngineParts) -> Dispatcher:
    """The engine; it speaks to the server only when it is started.

    Raises:
        MissingExtra: httpx is not installed.
    """
    options = parts.serve.vllm
    servers = [_Vllm(parts, url) for url in (options.url, *options.replicas)]
    if len(servers) == 1:
        return Dispatcher(servers[0], parts)
    return Dispatcher(Replicas(servers, lambda manifest: read_probe(parts.folder(manifest)), options.retry_seconds), parts)


class _Vllm:
    """One server; see ``hatrack.serving.engines.replicas.Replica``."""

    name = "vllm"

    def __init__(self, parts: EngineParts, url: str) -> None:
        self.url = url
        self._options = parts.serve.vllm
        self._folder = parts.folder
        self._cache = parts.cache / "vllm"
        self._stop_ids = sorted(parts.renderer.stop_ids)
        key = os.environ.get(self._options.key_env, "")
        self._wire = Wire("vllm", url, extra="vllm", timeout=self._options.timeout, key=key)
        self._base = ""
        self._names: dict[int, str] = {}  # of a place: what the server calls what lies there
        self._paths: dict[str, str] = {}
        self._lock = threading.Lock()

    def open(self) -> int:
        listed = self._wire.get("/v1/models")
        bases = [model["id"] for model in listed["data"] if not model.get("parent")]
        wanted = self._options.model
        if not bases or (wanted and wanted not in bases):
            raise EngineError(
                "the vllm server does not serve the base under this name",
                given=wanted or "no name",
                allowed=", ".join(bases) or "nothing is served there",
                fix="set serve.vllm.model, or start the server with --served-model-name",
            )
        self._base = wanted or bases[0]
        return _ROWS

    def close(self) -> None:
        for place in list(self._names):
            with contextlib.suppress(EngineError, RequestError):  # it may be gone before us
                self._unload(place)
        self._wire.close()

    def alive(self) -> bool:
        try:
            self._wire.get("/health", timeout=_HEALTH)
        except HatrackError:
            return False
        return True

    def servers(self) -> Mapping[str, bool]:
        return {}  # nobody watches a single one: what fails is told to who asked

    def takes(self, folder: Path) -> bool:
        return is_plain_lora(folder)

    def load(self, manifest: Manifest, place: int) -> None:
        here = write_plain_lora(self._folder(manifest), self._cache / manifest.digest)
        there = here.absolute() if self._options.adapters is None else Path(self._options.adapters) / manifest.digest
        self._unload(place)
        name = f"{manifest.name}-{manifest.version}-{manifest.digest[:16]}"
        self._paths[name] = str(there)
        self._push(name)
        self._names[place] = name

    def stream(self, request: Request, place: int) -> Generator[Step, None, None]:
        params = request.params
        body = {
            **self._asked(params),
            "model": self._model(place),
            "prompt": list(request.prompt),
            "stop_token_ids": self._stop_ids,
            "stream": True,
            "return_token_ids": True,
            "return_tokens_as_token_ids": True,
            # what one tenant's prompts left in the server's prefix cache is not used for another's
            "cache_salt": sha256_text(f"tenant {request.tenant}"),
        }
        try:
            yield from _steps(self._wire.events("/v1/completions", body), params.logprobs)
        except ServerLostAdapter:
            if not place:
                raise
            self._push(self._names[place])  # the server was started anew since
            yield from _steps(self._wire.events("/v1/completions", body), params.logprobs)

    def logprobs(self, prompt: Sequence[int], place: int) -> dict[int, float]:
        body = {
            "model": self._model(place),
            "prompt": list(prompt),
            "max_tokens": 1,
            "logprobs": _SHOWN,
            "return_tokens_as_token_ids": True,
        }
        scores = self._wire.post("/v1/completions", body)["choices"][0]["logprobs"]["top_logprobs"][0]
        return {int(name.removeprefix(_ID)): float(score) for name, score in scores.items()}

    def _asked(self, params: SamplingParams) -> dict[str, Any]:
        """Every setting by name: what is left out, the server takes from the model's own generation config."""
        asked: dict[str, Any] = {
            "max_tokens": params.max_tokens,
            "temperature": params.temperature,
            "top_p": params.top_p,
            "top_k": params.top_k or -1,
            "min_p": 0.0,
            "repetition_penalty": 1.0,
        }
        if params.seed is not None:
            asked["seed"] = params.seed
        if params.logprobs is not None:
            asked["logprobs"] = params.logprobs
        if params.schema is not None:
            asked["structured_outputs"] = {"json_object": True} if isinstance(params.schema, str) else {"json": params.schema}
        return asked

    def _model(self, place: int) -> str:
        return self._names[place] if place else self._base

    def _push(self, name: str) -> None:
        try:
            self._wire.post("/v1/load_lora_adapter", {"lora_name": name, "lora_path": self._paths[name]})
        except ServerLostAdapter as error:
            raise EngineError(
                "the vllm server does not take this adapter",
                given=error.given,
                allowed="a server that loads adapters, and sees their files under the same path",
                fix="start it with --enable-lora and VLLM_ALLOW_RUNTIME_LORA_UPDATING=True; see serve.vllm.adapters for containers",
            ) from error
        except (RequestError, ServerFailed) as error:
            if "already been loaded" in error.given:  # by another process of ours: the name holds the digest
                return
            raise AdapterError(
                f"the vllm server does not take {name}", given=error.given, fix="look at its log and its --max-lora-rank"
            ) from error

    def _unload(self, place: int) -> None:
        with self._lock:
            name = self._names.pop(place, None)
        if name is not None:
            with contextlib.suppress(ServerLostAdapter):
                self._wire.post("/v1/unload_lora_adapter", {"lora_name": name})


def _steps(events: Generator[dict[str, Any], None, None], shown: int | None) -> Iterator[Step]:
    with contextlib.closing(events):
        for event in events:
            for choice in event["choices"]:
                if "token_ids" not in choice:
                    raise EngineError("the vllm server does not send token ids", given="no token_ids", allowed="vLLM 0.11 or newer")
                yield from _choices(choice, shown)
                if choice.get("finish_reason"):
                    yield "length" if choice["finish_reason"] == "length" else "stop"


def _choices(choice: dict[str, Any], shown: int | None) -> Iterator[TokenChoice]:
    ids, scores = choice["token_ids"] or [], choice.get("logprobs")
    if shown is None or scores is None:
        yield from (TokenChoice(token, 0.0) for token in ids)
        return
    for token, score, listed in zip(ids, scores["token_logprobs"], scores["top_logprobs"], strict=True):
        top = sorted(((int(name.removeprefix(_ID)), other) for name, other in listed.items()), key=lambda pair: -pair[1])
        yield TokenChoice(token, score, tuple(top[:shown]))  # the chosen one is listed too, asked for or not
