"""What was measured of a training run."""

from __future__ import annotations

from collections.abc import Sequence

from transformers import TrainerState

from hatrack.training.memory import peak_memory
from hatrack.training.objectives.base import Item

__all__ = ["figures_of"]


def figures_of(state: TrainerState, train: Sequence[Item], seconds: float) -> dict[str, float]:
    """Seconds, steps, epochs, rows, tokens per second, peak memory in MB and the best validation loss of a finished run."""
    losses = [entry["eval_loss"] for entry in state.log_history if "eval_loss" in entry]
    tokens = sum(len(ids) for item in train for ids in item.sequences) * float(state.epoch or 0)
    return {
        "seconds": round(seconds, 2),
        "steps": float(state.global_step),
        "epochs": round(float(state.epoch or 0), 3),
        "rows": float(len(train)),
        "tokens_per_second": round(tokens / max(seconds, 1e-9), 1),
        "peak_rss_mb": round(peak_memory() / 2**20, 1),
        "best_validation_loss": round(min(losses), 6),
    }
