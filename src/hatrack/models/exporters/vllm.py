"""``vllm``: a plain LoRA that any vLLM server of the base loads, and the command that does it."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from hatrack.models.adapters.folder import CONFIG, WEIGHTS, read_json
from hatrack.models.adapters.plain_lora import is_plain_lora, write_plain_lora
from hatrack.models.exporters.base import Foreign, Part, Source
from hatrack.models.exporters.tools.transformers import PlainCausal, plain_model

__all__ = ["Vllm", "serve_command"]

_RANKS = (8, 16, 32, 64, 128, 256, 320, 512)  # that vLLM can reserve room for
_FOLDER = "adapter"


class Vllm:
    """The adapter with its scaling folded in, beside a script that starts a server with it."""

    name = "vllm"
    summary = "a plain LoRA and the command that serves it with vLLM"
    library = "peft"

    def refusal(self, source: Source) -> str:
        if source.folder is None:
            return "the base is no adapter"
        if source.files.kind != "causal":
            return "vLLM takes adapters of models that generate"
        if not is_plain_lora(source.folder):
            dora = " (DoRA)" if source.config.get("use_dora") else ""
            merged = "" if source.unfoldable() else "; it serves the folder of `merged`"
            return f"vLLM takes plain LoRA; this is {source.form}{dora}{merged}"
        rank = int(source.config["r"])
        return f"vLLM takes ranks up to {_RANKS[-1]}; this has {rank}" if rank > _RANKS[-1] else ""

    def write(self, source: Source, folder: Path) -> tuple[Part, ...]:
        if source.folder is not None:
            write_plain_lora(source.folder, folder / _FOLDER)
        script = folder / "serve.sh"
        script.write_text(
            f'#!/bin/sh\n# Serves the base and this adapter; run it in this folder.\nexec {serve_command(source, folder)} "$@"\n',
            encoding="utf-8",
        )
        script.chmod(0o755)
        return (Part("adapter", (f"{_FOLDER}/{WEIGHTS}", f"{_FOLDER}/{CONFIG}", script.name)),)

    def open(self, source: Source, folder: Path, part: Part) -> Foreign:
        return PlainCausal(*plain_model(source.files.folder, "AutoModelForCausalLM", folder / _FOLDER))

    def usage(self, source: Source, parts: Sequence[Part]) -> str:
        return (
            "```sh\nsh serve.sh\n```\n\n"
            f"Requests name the model `{source.name}`. The figures below were measured with PEFT, whose layout vLLM reads."
        )


def serve_command(source: Source, folder: Path) -> str:
    """``vllm serve`` with room for the adapter's rank."""
    rank = next(rank for rank in _RANKS if rank >= int(read_json(folder / _FOLDER)["r"]))
    modules = shlex.quote(f"{source.name}=./{_FOLDER}")
    return f"vllm serve {shlex.quote(source.base_id)} --enable-lora --max-lora-rank {rank} --lora-modules {modules}"
