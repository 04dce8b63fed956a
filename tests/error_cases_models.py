"""Faults of adapters that hosted models answer for, for docs/errors.md; the models are on loopback."""

from __future__ import annotations

from typing import Any

import yaml

from conftest import label_rows
from error_place import CASES, Place, fault
from provider_server import KEY, Fault, ProviderServer, provider_server

__all__ = ["CASES"]

PRICE = {"input_million": 1000, "output_million": 1000}
ASK = "ask helper hello"


def _written(at: Place, url: str = "http://127.0.0.1:9/v1", adapter: Any = None, key: str | None = KEY, **entry: Any) -> None:
    """``first`` is trained here, ``helper`` is Claude."""
    root = at.project(label_rows(), task="classify-by-text")
    config = yaml.safe_load((root / "hatrack.yaml").read_text())
    config["adapters"]["helper"] = {"task": "instruct", "hosted": "claude", **(adapter or {})}
    claude = {"backend": "anthropic", "model": "claude-1", "base_url": url, "api_key_env": "SOME_KEY", "retries": 1, **entry}
    (root / "hatrack.yaml").write_text(yaml.safe_dump({**config, "hosted": {"claude": claude}}))
    at.patch.delenv("SOME_KEY", raising=False)
    at.patch.setattr("hatrack.models.backends.metered.FIRST_WAIT", 0.01)
    if key is not None:
        at.patch.setenv("SOME_KEY", key)


def _registered(at: Place, *faults: Fault, **keys: Any) -> ProviderServer:
    from hatrack.cli.main import main

    context = provider_server("anthropic")
    server = context.__enter__()
    at.ends.append(lambda: context.__exit__(None, None, None))
    server.models, server.faults = {"claude-1"}, list(faults)
    _written(at, server.base_url, **keys)
    at.quietly(lambda: main(["train", "helper", "--project", str(at.root)]))
    return server


def _locked(at: Place) -> None:
    _registered(at, price=PRICE)
    (at.root / ".hatrack" / "spending.db").mkdir()


fault("an adapter of an unknown hosted model", "check first", lambda at: _written(at, adapter={"hosted": "clod"}), "did you mean claude?")
fault("a budget without a price", "check first", lambda at: _written(at, budget={"day": 1}), "hosted.claude", "a budget needs a price")
fault("a hosted adapter that is to be trained", "check first", lambda at: _written(at, adapter={"method": "dora"}), "nothing is trained")
fault("a task that no hosted model answers", "check first", lambda at: _written(at, adapter={"task": "complete"}), "answers the tasks")
fault("a hosted adapter that is not registered", ASK, _written, "hatrack train helper")
fault("a hosted adapter in a sweep", "train helper --sweep", _written, "nothing is trained for helper")
fault("an unknown backend", "train helper", lambda at: _written(at, backend="antropic"), "did you mean anthropic?")
fault("no key for a hosted model", ASK, lambda at: _registered(at, key=None), "SOME_KEY is not set")
fault(
    "a hosted model's budget is spent",
    ASK,
    lambda at: _registered(at, price=PRICE, budget={"month": 0.1}),
    "nothing was sent",
    "hosted.claude",
)
fault("what is spent cannot be recorded", ASK, _locked, "so nothing is sent")
fault("a hosted model does not answer", ASK, lambda at: _registered(at, *[Fault("", drop=True)] * 3), "does not answer")
fault("a hosted model has no time", ASK, lambda at: _registered(at, *[Fault("", status=429)] * 3), "has no time for the message")
fault("a hosted model refuses", ASK, lambda at: _registered(at, Fault("", status=400, message="prompt is too long")), "prompt is too long")
fault("a hosted adapter without rows is to be measured", "eval helper", _registered, "add data: FILE")
fault("an unknown hosted model to compare with", "compare first --only hosted-clod", _written, "did you mean hosted-claude?")
