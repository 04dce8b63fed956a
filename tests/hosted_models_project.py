"""A project in which hosted models answer beside a base of its own: Claude, Mistral and an OpenAI endpoint, all on loopback."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from conftest import label_rows, write_jsonl
from projects import speaking_base, write_project
from provider_server import ProviderServer, provider_server

__all__ = ["NAMES", "PRICE", "hosted_models_project", "providers"]

NAMES = {"claude": "anthropic", "misty": "mistral", "gpt": "openai"}
PRICE = {"input_million": 10_000, "output_million": 100_000}  # 0.01 and 0.1 a token


@contextmanager
def providers() -> Iterator[dict[str, ProviderServer]]:
    """One server for each entry of ``hosted:``."""
    with ExitStack() as stack:
        servers = {name: stack.enter_context(provider_server(backend)) for name, backend in NAMES.items()}
        for name, server in servers.items():
            server.models = {f"{name}-1"}
        yield servers


def hosted_models_project(root: Path, base: Path, servers: dict[str, ProviderServer], **keys: Any) -> Path:
    """``helper`` (Claude, no rows), ``misty`` (no rows), ``colours`` (a classifier with rows at the OpenAI endpoint)."""
    hosted = {
        name: {"backend": backend, "model": f"{name}-1", "base_url": servers[name].base_url, "api_key_env": "SOME_KEY", "price": PRICE}
        for name, backend in NAMES.items()
    }
    for name, more in keys.pop("entries", {}).items():
        hosted[name] |= more
    adapters: dict[str, Any] = {
        "helper": {"task": "instruct", "hosted": "claude", "system": "Be short."},
        "misty": {"task": "instruct", "hosted": "misty"},
        "colours": {
            "data": "data.jsonl", "task": "classify-by-text", "hosted": "gpt", "system": "Name the colour.", "split": [0.6, 0.1, 0.3]
        },
    }  # fmt: skip
    for name, more in keys.pop("adapters", {}).items():
        adapters[name] = adapters.get(name, {}) | more
    write_project(root, speaking_base(base), adapters, hosted=hosted, **keys)
    write_jsonl(root / "data.jsonl", label_rows(150))
    return root
