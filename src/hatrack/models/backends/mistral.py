"""The ``mistral`` backend: Mistral's chat completions, which are OpenAI's but for a few names."""

from __future__ import annotations

from typing import ClassVar

from hatrack.models.backends.openai import OpenAIBackend

__all__ = ["MistralBackend"]


class MistralBackend(OpenAIBackend):
    """See ``Backend``. Streams count tokens without being asked to, and bodies with unknown keys are refused there."""

    address: ClassVar[str] = "https://api.mistral.ai/v1"
    key_env: ClassVar[str] = "MISTRAL_API_KEY"
    protocol: ClassVar[str] = "Mistral"
    seed_name: ClassVar[str] = "random_seed"
    counts_streams_when_asked: ClassVar[bool] = False

    def headers(self, key: str) -> dict[str, str]:
        """The key."""
        return {"Authorization": f"Bearer {key}"}
