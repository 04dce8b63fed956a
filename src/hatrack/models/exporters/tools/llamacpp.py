"""llama.cpp, by the package xllamacpp: one server in this process that only this process has the key for."""

from __future__ import annotations

import json
import os
import secrets
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from hatrack.core.errors import AdapterBroken
from hatrack.core.extras import require

__all__ = ["LlamaCpp"]

_SHOWN = 512  # likeliest tokens that are asked for
_TIMEOUT = 600.0


class LlamaCpp:
    """A model in GGUF, with or without one adapter in GGUF.

    Raises:
        MissingExtra: xllamacpp is not installed. AdapterBroken: llama.cpp does not load the files.
    """

    def __init__(self, model: Path, vocabulary: int, adapter: Path | None = None, context: int = 1024) -> None:
        xllamacpp: Any = require("xllamacpp", extra="llamacpp", reason="trying out what was written in llama.cpp")
        self.tool = f"llama.cpp (xllamacpp {xllamacpp.__version__})"
        self._vocabulary = vocabulary
        self._key = secrets.token_hex(16)
        self._lora = [{"id": 0, "scale": 1.0}] if adapter else []
        params = xllamacpp.CommonParams()
        params.model.path = str(model)
        params.n_parallel, params.n_ctx = 1, context
        threads = int(os.environ.get("OMP_NUM_THREADS") or os.cpu_count() or 1)
        params.cpuparams.n_threads = params.cpuparams_batch.n_threads = threads
        params.api_keys = [self._key]
        params.cache_prompt, params.cache_ram_mib = False, 0
        params.fit_params = params.ui = params.warmup = False
        params.verbosity = -1
        if adapter:
            params.lora_adapters = [xllamacpp.CommonAdapterLoraInfo(str(adapter), 1.0)]
        try:
            self._server = xllamacpp.Server(params)
        except RuntimeError as error:
            raise AdapterBroken(
                "llama.cpp cannot load what was written",
                given=f"{(adapter or model).name}: {error}",
                fix="report this with the base's name",
            ) from error
        self._url = self._server.listening_address

    def tokenize(self, text: str) -> list[int]:
        """Ids of a text with special tokens in it, nothing added."""
        said = self._post("/tokenize", {"content": text, "add_special": False, "parse_special": True})
        return [int(token) for token in said["tokens"]]

    def logits(self, inputs: Sequence[Sequence[int]]) -> torch.Tensor:
        """Log-probabilities of the likeliest tokens; NaN for the others."""
        rows = torch.full((len(inputs), self._vocabulary), torch.nan)
        for row, prompt in enumerate(inputs):
            # a token that ends within a character comes without probabilities, so one of plain letters is asked for
            options = {"n_predict": 1, "n_probs": _SHOWN, "ignore_eos": True, "grammar": "root ::= [ -~]+", "temperature": 0}
            shown = self._completion(prompt, options)["completion_probabilities"]
            for token in shown[0]["top_logprobs"] if shown else ():
                rows[row, token["id"]] = float(token["logprob"])
        return rows

    def generate(self, prompts: Sequence[Sequence[int]], stop_ids: frozenset[int], most: int) -> list[tuple[int, ...]]:
        answers = []
        for prompt in prompts:
            said = [int(token) for token in self._completion(prompt, {"n_predict": most, "temperature": 0})["tokens"]]
            end = next((place for place, token in enumerate(said) if token in stop_ids), len(said))
            answers.append(tuple(said[:end]))
        return answers

    def close(self) -> None:
        del self._server

    def _completion(self, prompt: Sequence[int], options: dict[str, Any]) -> dict[str, Any]:
        return self._post(
            "/completion", {**options, "prompt": list(prompt), "lora": self._lora, "cache_prompt": False, "return_tokens": True}
        )

    def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self._key}"}
        asked = urllib.request.Request(self._url + path, json.dumps(body).encode(), headers)  # noqa: S310  # our own server, on the loopback
        try:
            with urllib.request.urlopen(asked, timeout=_TIMEOUT) as answer:  # noqa: S310  # as above
                found: dict[str, Any] = json.load(answer)
        except (urllib.error.URLError, ValueError, TimeoutError) as error:
            raise AdapterBroken(
                "llama.cpp does not answer with what was written", given=str(error), fix="report this with the base's name"
            ) from error
        return found
