"""Figures as people read them, the same on the screen and on every page."""

from __future__ import annotations

__all__ = ["metric_words", "p_words"]

_METRICS = {
    "macro_f1": "macro-F1",
    "micro_f1": "micro-F1",
    "token_f1": "token F1",
    "rouge_l": "ROUGE-L",
    "chrf": "chrF",
    "ece": "ECE",
}


def metric_words(metric: str) -> str:
    """The name of a metric."""
    return _METRICS.get(metric, metric.replace("_", " "))


def p_words(value: float | None) -> str:
    """A p-value; nothing where there is none."""
    return "" if value is None else "< 0.0001" if value < 0.0001 else f"{value:.4f}"
