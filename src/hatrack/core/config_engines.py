"""What ``serve.vllm`` and ``serve.llamacpp`` in ``hatrack.yaml`` may say: options of the engines that are not the embedded one."""

from __future__ import annotations

from pydantic import Field

from hatrack.core.strict import Strict

__all__ = ["LlamaCppSettings", "VllmSettings"]


class VllmSettings(Strict):
    """A vLLM server that holds the base; used with `serve.engine: vllm`."""

    url: str = Field("http://127.0.0.1:8001", description="Address of the vLLM server, without /v1.")
    replicas: tuple[str, ...] = Field((), description="Addresses of further servers with the same base; requests are shared out among all.")
    retry_seconds: float = Field(2.0, gt=0, description="With replicas: how often one that is away is asked whether it is back.")
    model: str | None = Field(None, description="Name under which the server serves the base; the first one it lists when left out.")
    key_env: str = Field("VLLM_API_KEY", description="Environment variable with the server's API key; no key is sent while it is unset.")
    adapters: str | None = Field(
        None, description="How the server sees the project's .hatrack/cache/vllm, where it is another path there, as in a container."
    )
    timeout: float = Field(60.0, gt=0, description="Seconds of silence of the server after which an answer counts as failed.")


class LlamaCppSettings(Strict):
    """A quantised base in the GGUF format; used with `serve.engine: llamacpp`."""

    gguf: str | None = Field(None, description="The base as a GGUF file of any precision; a bundled base brings its own.")
    threads: int | None = Field(None, ge=1, description="Threads that compute; as many as there are cores when left out.")
