"""Domain text: the next-token loss on every token of a bare text and on the stop token behind it."""

from __future__ import annotations

from hatrack.training.objectives.causal import Instruct

__all__ = ["Complete"]


class Complete(Instruct):
    """No chat template takes part in training; ``ChatRenderer.text`` makes the row (continued pre-training, Gururangan et al. 2020)."""
