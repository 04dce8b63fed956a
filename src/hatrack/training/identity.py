"""What makes a run: the same inputs are the same run, and everything that decides the adapter is among them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hatrack.core.config import AdapterConfig
from hatrack.core.digest import sha256_json, short
from hatrack.training.parent import Parent

__all__ = ["behaviour", "run_key"]


def behaviour(
    config: AdapterConfig, labels: Sequence[str], learning_rate: float, options: dict[str, Any], parent: Parent | None = None
) -> dict[str, Any]:
    """Everything in the config that decides what the adapter does, with all defaults written out."""
    preference = {"preference": config.preference.model_dump(mode="json")} if config.task == "prefer" else {}
    start = {"parent": parent.manifest.digest} if parent else {}
    # how much disk and memory may be taken, and who follows the run, changes no weight
    settings = config.train.model_dump(mode="json", exclude={"fast": {"cache_gb"}, "memory_gb": True, "report_to": True})
    if not config.train.ema:
        del settings["ema"]  # what it began as: a run from before there was this key is the same run
    return {
        **preference,
        **start,
        "task": config.task,
        "method": config.method,
        "options": options,
        "system": config.system,
        "labels": list(labels),
        "answer_schema": config.answer_schema,
        "train": {**settings, "learning_rate": learning_rate},
    }


def run_key(name: str, base_fingerprint: str, template_hash: str, data_digest: str, config: dict[str, Any]) -> str:
    """The folder name of a run: the same inputs are the same run, and resume it."""
    return f"{name}-{short(sha256_json([base_fingerprint, template_hash, data_digest, config]))}"
