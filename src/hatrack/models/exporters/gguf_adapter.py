"""``gguf-adapter``: the LoRA alone in GGUF, for ``llama-server --lora`` beside any GGUF of the same base."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from hatrack.core.atomic import STAGING
from hatrack.core.errors import HatrackError
from hatrack.models.adapters.plain_lora import is_plain_lora
from hatrack.models.exporters.base import Foreign, Part, Source
from hatrack.models.exporters.gguf import context_for
from hatrack.models.exporters.tools.llamacpp import LlamaCpp
from hatrack.models.gguf.lora import write_gguf_lora
from hatrack.models.gguf.model import write_gguf_model
from hatrack.models.gguf.shape import base_of_config
from hatrack.models.loading import load_module

__all__ = ["GgufAdapter"]


class GgufAdapter:
    """One file of matrices, in 32 bits."""

    name = "gguf-adapter"
    summary = "the LoRA alone in GGUF, for llama.cpp beside a GGUF of the base"
    library = "gguf"

    def refusal(self, source: Source) -> str:
        if source.folder is None:
            return "the base is no adapter"
        if source.files.kind != "causal":
            return "llama.cpp takes adapters of models that generate"
        if not is_plain_lora(source.folder):
            dora = " (DoRA)" if source.config.get("use_dora") else ""
            return f"llama.cpp takes plain LoRA; this is {source.form}{dora}"
        try:
            base_of_config(source.files.folder, source.files.config)
        except HatrackError as error:
            return f"{error.what}: {error.given}"
        return ""

    def write(self, source: Source, folder: Path) -> tuple[Part, ...]:
        target = f"{source.name}.gguf"
        if source.folder is not None:
            write_gguf_lora(source.folder, base_of_config(source.files.folder, source.files.config), folder / target)
        return (Part("adapter", (target,)),)

    def open(self, source: Source, folder: Path, part: Part) -> Foreign:
        return _WithBase(source, folder / part.files[0])

    def usage(self, source: Source, parts: Sequence[Part]) -> str:
        return f"```sh\nllama-server --model BASE.gguf --lora {parts[0].files[0]}\n```\n\n`BASE.gguf` is {source.base_id} in any precision."


class _WithBase(LlamaCpp):
    """The adapter on the base in 32 bits, which is written for the occasion."""

    def __init__(self, source: Source, adapter: Path) -> None:
        self._written = tempfile.TemporaryDirectory(dir=adapter.parent, prefix=STAGING)
        base = Path(self._written.name) / "base.gguf"
        write_gguf_model(source.files, load_module(source.files), base, "F32", source.base_id)
        super().__init__(base, int(source.files.config["vocab_size"]), adapter, context_for(source))

    def close(self) -> None:
        super().close()
        self._written.cleanup()
