"""The same for pages about servers, documents, hosted models and shared registries; imported for what it registers."""

from __future__ import annotations

import queue
import re
from pathlib import Path
from typing import Any

import yaml

from conftest import Ran, write_jsonl
from doc_places import DOCS, FAST, change, legal, page_config, place, rows_for
from doc_shell import Place
from hosted_models_project import PRICE
from http_server import running
from knowledge_places import FACTS, add, write_rows
from provider_server import KEY, provider_server
from served_adapters import label, plant

HASHING = {"embedder": "hashing:256", "language": "en"}


def served(at: Place, **engine: Any) -> None:
    """A server of the project for blocks that only ask one."""
    at.instead |= dict.fromkeys(("http://127.0.0.1:8000", "http://localhost:8000"), at.stack.enter_context(running(at.root, **engine)).url)
    at.instead["curl localhost:8000"] = f"curl {at.instead['http://127.0.0.1:8000']}"


@place("api.md")
def _(at: Place) -> None:
    (at.root / "hatrack.yaml").write_text(yaml.safe_dump({"base": str(at.causal), "adapters": {"some": {"data": "d", "task": "instruct"}}}))
    plant(at.root, at.causal, "some", 0)
    label(at.root, "some", "finance", ("card_swallowed", "card_not_working"))
    served(at)


@place("bundle.md")
def _(at: Place) -> None:
    from hatrack.workflows.bundle.record import new_key

    legal(at)
    private, public = new_key()
    at.instead |= {"HATRACK_SIGNING_KEY=...": f"HATRACK_SIGNING_KEY={private}", "PUBLIC_KEY": public}
    (at.root / "wheels").mkdir()
    (at.root / "wheels" / "some-1.0-py3-none-any.whl").write_bytes(b"a wheel")


@place("cache.md")
def _(at: Place) -> None:
    from hatrack.core.chat import Message
    from hatrack.serving.request import SamplingParams

    legal(at, serve={"cache": {"enabled": True}}, routing={"rules": [{"when": {"country": "FR"}, "use": "legal"}]})
    service = at.stack.enter_context(running(at.root)).service
    at.names |= {"service": service, "messages": [Message("user", "the red apple")], "params": SamplingParams(max_tokens=4)}
    at.names["emit"] = queue.Queue().put


@place("serve.md")
def _(at: Place) -> None:
    legal(at, serve={"precision": "fp32"})  # so small a base does not bear 8 bits

    def admin(ran: Ran) -> None:
        [at.key] = re.findall(r"hat_\S+", ran.out)

    at.after["hatrack keys make ops"] = admin


@place("hosted.md")
def _(at: Place) -> None:
    server = at.stack.enter_context(provider_server())
    at.instead["OPENAI_API_KEY=..."] = f"OPENAI_API_KEY={KEY}"
    page_config(at, "hosted.md", provider={"model": "gpt-tiny", "base_url": server.base_url, "poll_seconds": 0.01})


@place("hosted-models.md")
def _(at: Place) -> None:
    servers = {
        name: at.stack.enter_context(provider_server(backend)) for name, backend in (("claude", "anthropic"), ("local-vllm", "openai"))
    }
    hosted = {name: {"base_url": server.base_url, "model": f"{name}-1", "price": PRICE} for name, server in servers.items()}
    for name, server in servers.items():
        server.models = {f"{name}-1"}
    hosted["claude"]["budget"] = {"day": 1000.0, "month": 10_000.0}
    compare = {"embedder": str(at.encoder), "approaches": FAST}
    page_config(at, "hosted-models.md", hosted=hosted, compare=compare, adapters={"helper": {"budget": {"day": 1000.0}}})
    at.instead |= {"ANTHROPIC_API_KEY=...": f"ANTHROPIC_API_KEY={KEY}", "VLLM_KEY=...": f"VLLM_KEY={KEY}"}


def with_facts(at: Place, root: Path) -> None:
    (root / "handbook").mkdir(parents=True)
    (root / "handbook" / "cards.md").write_text("# Lost cards\n\nA lost card is replaced for five euros.\n", encoding="utf-8")
    write_rows(root / "prices.jsonl", FACTS)
    change(root, knowledge=HASHING)


@place("knowledge.md")
def _(at: Place) -> None:
    legal(at)
    with_facts(at, at.root)
    served(at, context=1024, kv_gb=0.05)


@place("langchain.md")
def _(at: Place) -> None:
    at.root = at.root / "my-assistant"
    legal(at)
    with_facts(at, at.root)
    add(at.root, at.root / "prices.jsonl")
    at.root = at.root.parent


@place("mcp.md")
def _(at: Place) -> None:
    at.root = at.root / "my-assistant"
    legal(at)
    at.root = at.root.parent


@place("registry.md")
def _(at: Place) -> None:
    from shared_places import bucket, new_database, s3_address

    own = {"database": new_database(), "blobs": f"s3://{bucket()}/own", "endpoint": s3_address()}
    team = {"database": new_database(), "blobs": f"s3://{bucket()}/team", "endpoint": s3_address()}
    page_config(at, "registry.md", registry=own)
    change(at.root, adapters={"legal": {"task": "classify-by-text"}})
    rows_for(at.root / "data" / "legal.jsonl", {"task": "classify-by-text"})

    def remote(ran: Ran) -> None:
        change(at.root, registry={"remotes": {"team": team}})
        at.hatrack("registry", "upgrade", "--remote", "team")

    at.after["hatrack registry show"] = remote


@place("routing.md")
def _(at: Place) -> None:
    page_config(at, "routing.md", routing={"embedder": str(at.encoder)})
    for seed, name in enumerate(("legal", "fr-tax", "acme", "acme-fr")):
        plant(at.root, at.causal, name, seed)


@place("safety.md")
def _(at: Place) -> None:
    legal(at)
    pack = re.findall(r"```yaml\n(name: .*?)```", (DOCS / "safety.md").read_text(encoding="utf-8"), re.DOTALL)[0]
    (at.root / "ours.yaml").write_text(pack, encoding="utf-8")
    endpoint = at.stack.enter_context(provider_server())
    endpoint.models, endpoint.say = {"gpt-x"}, lambda model, messages: "I cannot help with that."
    at.patch.setenv("MY_KEY", KEY)
    at.instead["https://api.example.com/v1"] = endpoint.base_url
    report = [
        {"entry_type": "start_run setup", "_config.version": "0.17.1"},
        {"entry_type": "eval", "probe": "encoding.InjectBase64", "detector": "d.B", "passed": 5, "total": 5},
        {"entry_type": "completion", "end_time": "2026-01-01"},
    ]
    write_jsonl(at.root / "my.report.jsonl", report)
