"""What tests of the server ask of its service directly."""

from __future__ import annotations

import queue
from typing import Any

from hatrack.serving.request import Finished, Piece, SamplingParams

__all__ = ["answer_of"]


def answer_of(service: Any, manifest: Any, prompt: Any, **params: Any) -> tuple[str, Finished]:
    """One answer, past HTTP."""
    events: queue.Queue[Any] = queue.Queue()
    service.submit(manifest, prompt, SamplingParams(**params), events.put)
    text = ""
    while isinstance(event := events.get(timeout=30), Piece):
        text += event.text
    return text, event
