"""Faults of hosted fine-tuning, for docs/errors.md; those of the provider are made by one on loopback."""

from __future__ import annotations

from typing import Any

import yaml

from conftest import label_rows
from error_place import CASES, Place, fault
from provider_server import KEY, Fault, ProviderServer, provider_server

__all__ = ["CASES"]

TRAIN = "train first --provider openai"
ROWS = label_rows(120)
MAILS = [{**row, "text": f"{row['text']} jane{i}@example.org"} for i, row in enumerate(ROWS)]
PAIRS = [{"prompt": row["text"], "chosen": row["label"], "rejected": "lamp"} for row in ROWS]


def _hosted(
    at: Place, rows: Any = ROWS, *, provider: Any = None, key: str | None = KEY, task: str = "classify-by-text", **keys: Any
) -> None:
    root = at.project(rows, task=task, **keys)
    config = yaml.safe_load((root / "hatrack.yaml").read_text())
    settings = {"model": "gpt-4.1-mini", "base_url": "http://127.0.0.1:9/v1", "poll_seconds": 0.01, **(provider or {})}
    (root / "hatrack.yaml").write_text(yaml.safe_dump({**config, "provider": settings}))
    at.patch.delenv("OPENAI_API_KEY", raising=False)
    at.patch.setattr("openai._base_client.BaseClient._calculate_retry_timeout", lambda *args: 0.01)
    if key is not None:
        at.patch.setenv("OPENAI_API_KEY", key)


def _served(at: Place, *faults: Fault, key: str = KEY, **keys: Any) -> ProviderServer:
    context = provider_server()
    server = context.__enter__()
    at.ends.append(lambda: context.__exit__(None, None, None))
    server.faults = list(faults)
    _hosted(at, provider={"base_url": server.base_url}, key=key, **keys)
    return server


def _ended(at: Place) -> None:
    _served(at).way = ("running", "failed")


def _running(at: Place) -> None:
    from hatrack.cli.main import main

    server = _served(at)
    server.way = ("running",)

    def interrupt(seconds: float) -> None:
        raise KeyboardInterrupt

    with at.patch.context() as patch:
        patch.setattr("hatrack.training.hosted.follow.time.sleep", interrupt)
        at.quietly(lambda: main([*TRAIN.split(), "--project", str(at.root)]))


def _trained(at: Place, **keys: Any) -> None:
    from hatrack.cli.main import main

    _served(at, **keys).way = ("succeeded",)
    at.quietly(lambda: main([*TRAIN.split(), "--project", str(at.root)]))


def _damaged(at: Place) -> None:
    _running(at)
    next(at.root.rglob("job.json")).write_text("{")


fault(
    "a hosted job without a provider in the config", TRAIN, lambda at: at.project(ROWS, task="classify-by-text"), "provider: {model: NAME}"
)
fault("an unknown provider", "train first --provider opnai", _hosted, "did you mean openai?")
fault("no key for the provider", TRAIN, lambda at: _hosted(at, key=None), "OPENAI_API_KEY is not set")
fault("a key instead of the name of its variable", TRAIN, lambda at: _hosted(at, provider={"api_key_env": "sk-abc-123"}), "not a key")
fault("an address without https", TRAIN, lambda at: _hosted(at, provider={"base_url": "http://example.org/v1"}), "https is needed")
fault("another address that is none", f"{TRAIN} --endpoint example.org", _hosted, "--endpoint is no address")
fault("a hosted job's option without a provider", "train first --again", _hosted, "--provider openai")
fault("a task that no provider trains", TRAIN, lambda at: _hosted(at, task="classify"), "learns from conversations")
fault(
    "a preference that no provider trains",
    TRAIN,
    lambda at: _hosted(at, PAIRS, task="prefer", preference={"loss": "orpo"}),
    "set loss: dpo",
)
fault("a hosted job with a parent", TRAIN, lambda at: _hosted(at, parent="first@1.0.0"), "trains its own model")
fault("personal data would leave the machine", TRAIN, lambda at: _hosted(at, MAILS), "EMAIL_ADDRESS", "prepare.pii.mode: mask")
fault("the provider does not answer", TRAIN, _hosted, "does not answer")
fault("the provider does not accept the key", TRAIN, lambda at: _served(at, key="sk-wrong-12345"), "Incorrect API key provided: ***")
fault(
    "the provider refuses a job", TRAIN, lambda at: _served(at, Fault("/jobs", status=400, message="model not available")), "not available"
)
fault("the provider has no time", TRAIN, lambda at: _served(at, *[Fault("/files", status=429)] * 9), "has no time", "wait")
fault("the provider fails", TRAIN, lambda at: _served(at, *[Fault("/files", status=500)] * 9), "failed at the upload")
fault("an endpoint of another protocol", TRAIN, lambda at: setattr(_served(at), "answer", lambda *asked: (200, {})), "often ends in /v1")
fault("a hosted job failed", TRAIN, _ended, "the file holds rows that are not allowed", "--again")
fault("a second job beside a running one", f"{TRAIN} --again", _running, "still running")
fault("no job to cancel", f"{TRAIN} --cancel", _hosted, "no job was started")
fault("the record of a hosted job is damaged", TRAIN, _damaged, "would be paid again")
fault("local work with a hosted version", "merge both first@1.0.0", _trained, "not on this machine", "without --provider")
fault("a hosted version that cannot be measured", "eval first", lambda at: _trained(at, rows=PAIRS, task="prefer"), "log-probability")
