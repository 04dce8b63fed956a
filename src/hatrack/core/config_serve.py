"""What ``serve`` in ``hatrack.yaml`` may say."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from hatrack.core.config_cache import CacheSettings
from hatrack.core.config_engines import LlamaCppSettings, VllmSettings
from hatrack.core.config_http import HttpSettings, KeyEntry
from hatrack.core.strict import Strict

__all__ = ["ServeSettings"]


class ServeSettings(Strict):
    """The server and its engine."""

    host: str = Field("127.0.0.1", description="Address to listen on; 0.0.0.0 is every network, which then should need keys.")
    port: int = Field(8000, ge=0, le=65535, description="Port to listen on; 0 takes any free one and says which.")
    precision: Literal["int8", "bf16", "fp32"] = Field(
        "int8",
        description="How the base's linear layers are held: int8 is several times faster and measured to be about as good; bf16 takes "
        "half the memory of fp32, and is slow on a processor that does not multiply in it.",
    )
    max_int8_loss: float = Field(
        0.02,
        ge=0,
        description="A version whose metric falls by more in 8 bits, as `hatrack eval NAME --int8` measured, is served in full precision.",
    )
    rows: int = Field(32, ge=1, le=512, description="Answers that are made at the same time.")
    chunk: int = Field(
        64, ge=16, description="Prompt tokens computed in one step beside running answers: fewer is smoother, more is faster."
    )
    slots: int = Field(32, ge=1, le=4096, description="Adapters in memory at the same time; the least recently used make room.")
    rank: int = Field(16, ge=1, description="A slot has room for a LoRA of this rank on all linear layers.")
    context: int = Field(2048, ge=16, description="Longest prompt and answer together, in tokens; never more than the base can read.")
    kv_gb: float = Field(1.0, gt=0, description="Memory for keys and values of running and of remembered tokens, in gigabytes.")
    queue: int = Field(256, ge=1, description="Requests that may wait; more are refused with a time after which to try again.")
    share: float = Field(0.75, gt=0, le=1, description="Most of rows and of queue that one adapter may take.")
    patience: float = Field(2.0, gt=0, description="Seconds after which a waiting request goes before all others.")
    http: HttpSettings = Field(HttpSettings(), description="Limits of the HTTP server.")
    keys: tuple[KeyEntry, ...] = Field((), description="API keys, beside those of keys_file.")
    keys_file: str | None = Field(None, description="The file that `hatrack keys` writes, from the project; null: .hatrack/keys.json.")
    cache: CacheSettings = Field(CacheSettings(), description="Answers that are kept and given again.")
    engine: str = Field(
        "torch", description="What makes the answers: torch (in this process), vllm (a vLLM server), llamacpp (GGUF) or a plug-in's name."
    )
    vllm: VllmSettings = Field(VllmSettings(), description="The vLLM server, for engine vllm.")
    llamacpp: LlamaCppSettings = Field(LlamaCppSettings(), description="The GGUF base, for engine llamacpp.")
