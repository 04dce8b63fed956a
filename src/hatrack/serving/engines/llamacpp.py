"""The engine ``llamacpp``: a quantised base in GGUF on llama.cpp (package xllamacpp), with a few hot adapters.

llama.cpp takes adapters only when it starts. So a new adapter starts a new server beside the old one, which ends with
its last answer; the base's file is mapped into memory once for both. Two things keep adapters apart, which llama.cpp
does not do by itself: every request names the scale of every adapter, and its prompt cache, which another adapter's
request would read, is off (F24).
"""

from __future__ import annotations

import os
import secrets
import threading
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

from hatrack.core.errors import EngineError, ModelNotFound
from hatrack.core.extras import require
from hatrack.core.lineage import Manifest
from hatrack.models.adapters.plain_lora import is_plain_lora
from hatrack.models.gguf.lora import write_gguf_lora
from hatrack.models.gguf.shape import GgufBase, read_gguf_base
from hatrack.models.sources.bundled import bundled_gguf
from hatrack.serving.engines.backend import UNKNOWN, Step, Told
from hatrack.serving.engines.base import EngineParts
from hatrack.serving.engines.dispatch import Dispatcher
from hatrack.serving.engines.wire import Wire
from hatrack.serving.request import FinishReason, Request, TokenChoice

__all__ = ["open_llamacpp"]

_SHOWN = 512  # likeliest tokens that are asked for where an adapter's effect is looked at
_HALF = 2  # bytes of a number in the KV cache


def open_llamacpp(parts: EngineParts) -> Dispatcher:
    """The engine; nothing is loaded before it is started."""
    return Dispatcher(_LlamaCpp(parts), parts)


class _Server:
    """One llama.cpp server in this process, on a port of the loopback that only we have the key for."""

    def __init__(self, base: GgufBase, adapters: Mapping[int, Path], rows: int, context: int, threads: int) -> None:
        xllamacpp: Any = require("xllamacpp", extra="llamacpp", reason="the engine llamacpp")
        self.adapters = dict(adapters)
        self.users = 0
        key = secrets.token_hex(16)
        params = xllamacpp.CommonParams()
        params.model.path = str(base.path)
        params.n_parallel, params.n_ctx = rows, rows * context
        params.cpuparams.n_threads = params.cpuparams_batch.n_threads = threads
        params.api_keys = [key]
        params.cache_prompt, params.cache_ram_mib = False, 0
        params.fit_params = params.ui = params.warmup = False
        params.verbosity = -1
        params.lora_adapters = [xllamacpp.CommonAdapterLoraInfo(str(path), 0.0) for path in self.adapters.values()]
        try:
            self._server = xllamacpp.Server(params)
        except RuntimeError as error:
            raise EngineError("llama.cpp cannot load the base with these adapters", given=f"{base.path.name}: {error}") from error
        self.wire = Wire("llamacpp", self._server.listening_address, extra="llamacpp", timeout=600.0, key=key)

    def scales(self, place: int) -> list[dict[str, float]]:
        """Of every adapter: an adapter that a request does not name keeps the scale it had in the last one."""
        return [{"id": n, "scale": float(here == place)} for n, here in enumerate(self.adapters)]

    def close(self) -> None:
        self.wire.close()
        del self._server


class _LlamaCpp:
    """See ``hatrack.serving.engines.backend.Backend``."""

    name = "llamacpp"

    def __init__(self, parts: EngineParts) -> None:
        self._parts = parts
        self._wanted: dict[int, Path] = {}
        self._lock = threading.Lock()
        self._starting = threading.Lock()
        self._current: _Server | None = None

    @cached_property
    def _base(self) -> GgufBase:
        named = self._parts.serve.llamacpp.gguf
        path = bundled_gguf(self._parts.files.spec) if named is None else self._parts.project.root / Path(named).expanduser()
        if path is None or not path.is_file():
            raise ModelNotFound(
                "the engine llamacpp needs the base as a GGUF file",
                given=str(path or "none"),
                allowed="a file made from the project's base, of any precision",
                fix="set serve.llamacpp.gguf, or take serve.engine: torch",
            )
        base, config = read_gguf_base(path), self._parts.files.config
        found = {"num_hidden_layers": base.layers, "hidden_size": base.width, "vocab_size": base.vocabulary}
        other = {key: value for key, value in found.items() if config.get(key) != value}
        if other:
            raise ModelNotFound(
                "the GGUF file holds another base than the project's",
                given=", ".join(f"{key} {value}" for key, value in other.items()),
                allowed=", ".join(f"{key} {config.get(key)}" for key in other),
                fix="set serve.llamacpp.gguf to a file made from the project's base",
            )
        return base

    @cached_property
    def _rows(self) -> int:
        """As many as their keys and values have room for."""
        settings, config = self._parts.settings, self._parts.files.config
        head = config.get("head_dim") or self._base.width // self._base.heads
        token = 2 * self._base.layers * self._base.kv_heads * head * _HALF
        return max(1, min(settings.rows, int(settings.kv_gb * 1e9) // (token * settings.context)))

    def open(self) -> int:
        self._current = self._start()
        return self._rows

    def close(self) -> None:
        if self._current is not None:
            self._current.close()
            self._current = None

    def servers(self) -> Mapping[str, bool]:
        return {}  # one in this process

    def takes(self, folder: Path) -> bool:
        return is_plain_lora(folder)

    def load(self, manifest: Manifest, place: int) -> None:
        target = self._parts.cache / "llamacpp" / f"{manifest.digest}-{self._base.architecture}.gguf"
        path = write_gguf_lora(self._parts.folder(manifest), self._base, target)
        with self._lock:
            self._wanted[place] = path
        with self._starting:  # who waited here finds that the one before has started it with all that were wanted by then
            if self._current is not None and self._current.adapters.get(place) == path:
                return
            try:
                fresh = self._start()
            except EngineError:
                with self._lock:
                    del self._wanted[place]  # else it would be in the way of every other adapter
                raise
            with self._lock:
                old, self._current = self._current, fresh
                idle = old is not None and not old.users
            if old is not None and idle:
                old.close()

    def stream(self, request: Request, place: int) -> Generator[Step, None, None]:
        params = request.params
        body: dict[str, Any] = {
            "n_predict": params.max_tokens,
            "temperature": params.temperature,
            "top_k": params.top_k,
            "top_p": params.top_p,
            "min_p": 0.0,
        }
        if params.seed is not None:
            body["seed"] = params.seed
        if params.schema is not None:
            body["json_schema"] = {"type": "object"} if isinstance(params.schema, str) else params.schema
        with self._serving() as server:
            if params.logprobs is None:
                body["stream"] = True
                yield from _told(server.wire.events("/completion", self._body(server, request.prompt, place, body)))
            else:  # only a whole answer names every token
                body["n_probs"] = max(1, params.logprobs)
                yield from _whole(server.wire.post("/completion", self._body(server, request.prompt, place, body)), params.logprobs)

    def logprobs(self, prompt: Sequence[int], place: int) -> dict[int, float]:
        # a token that ends within a character comes without probabilities, so one of plain letters is asked for
        options = {"n_predict": 1, "n_probs": _SHOWN, "ignore_eos": True, "grammar": "root ::= [ -~]+"}
        with self._serving() as server:
            body = self._body(server, prompt, place, options)
            event = server.wire.post("/completion", body)
        shown = event["completion_probabilities"][0]["top_logprobs"]
        return {token["id"]: float(token["logprob"]) for token in shown}

    def _body(self, server: _Server, prompt: Sequence[int], place: int, options: Mapping[str, Any]) -> dict[str, Any]:
        return {**options, "prompt": list(prompt), "lora": server.scales(place), "cache_prompt": False, "return_tokens": True}

    def _start(self) -> _Server:
        threads = self._parts.serve.llamacpp.threads or os.cpu_count() or 1
        with self._lock:
            wanted = dict(self._wanted)
        return _Server(self._base, wanted, self._rows, self._parts.settings.context, threads)

    @contextmanager
    def _serving(self) -> Iterator[_Server]:
        """The newest server; one that has been replaced ends with its last answer."""
        with self._lock:
            server = self._current
            if server is None:
                raise EngineError("the engine llamacpp is not running", fix="start it again")
            server.users += 1
        try:
            yield server
        finally:
            with self._lock:
                server.users -= 1
                last = not server.users and server is not self._current
            if last:
                server.close()


def _told(events: Generator[dict[str, Any], None, None]) -> Iterator[Step]:
    """Streamed, llama.cpp leaves out the ids of tokens that end within a character; their text comes with the next token's."""
    seen = 0
    with closing(events):
        for event in events:
            made = int(event["tokens_predicted"]) - (event.get("stop_type") == "eos")
            named = event["tokens"][-1:] if made > seen else []
            yield Told(event["content"], (UNKNOWN,) * (made - seen - len(named)) + tuple(named))
            seen = made
            if event["stop"]:
                yield _reason(event)


def _whole(event: Mapping[str, Any], shown: int) -> Iterator[Step]:
    for score in event.get("completion_probabilities", []):
        top = tuple((other["id"], float(other["logprob"])) for other in score["top_logprobs"][:shown])
        yield TokenChoice(score["id"], float(score["logprob"]), top)
    yield _reason(event)


def _reason(event: Mapping[str, Any]) -> FinishReason:
    return "length" if event["stop_type"] == "limit" else "stop"
