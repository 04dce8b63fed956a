"""Lengths in tokens: quantiles, a histogram, what is cut at max_length, and what part is trained."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pydantic import Field

from hatrack.data.quality.record import Basis, Record

__all__ = ["Histogram", "LabelLength", "Measured", "TokenLengths", "histogram", "token_lengths"]

_BINS = 30
_NICE = (1, 2, 5)  # times a power of ten: widths that people can add up
_LABELS = 40


@dataclass(frozen=True, slots=True)
class Measured:
    """Tokens of one row before anything is cut, how many of them are trained, and its label."""

    tokens: int
    trained: int
    label: str = ""


class Histogram(Record):
    """``counts[i]`` rows have a length from ``i * width`` up to, and not with, ``(i + 1) * width``."""

    width: int
    counts: tuple[int, ...]
    beyond: int = Field(description="Rows longer than the last bin.")


class LabelLength(Record):
    """Lengths of one label's rows."""

    label: str
    rows: int
    median: int
    p95: int


class TokenLengths(Record):
    """Tokens of the training rows, template and special tokens included."""

    basis: Basis
    total: int = Field(description="Tokens of the measured rows, after cutting.")
    trained: int
    trained_share: float
    quantiles: dict[str, int] = Field(description="Before cutting: p5, p50, p95, p99, max.")
    max_length: int
    truncated_rows: int
    truncated_share: float
    histogram: Histogram
    by_label: tuple[LabelLength, ...] = Field(description=f"The {_LABELS} largest labels, longest median first.")


def token_lengths(measured: Sequence[Measured], max_length: int, basis: Basis) -> TokenLengths:
    """Sum up measured rows.

    A row's answer is never cut, so all trained tokens count even where the row is longer than ``max_length``.
    """
    lengths = sorted(row.tokens for row in measured)
    total = sum(min(length, max_length) for length in lengths)
    trained = sum(row.trained for row in measured)
    truncated = sum(length > max_length for length in lengths)
    return TokenLengths(
        basis=basis,
        total=total,
        trained=trained,
        trained_share=trained / max(total, 1),
        quantiles={f"p{q}": _quantile(lengths, q / 100) for q in (5, 50, 95, 99)} | {"max": lengths[-1] if lengths else 0},
        max_length=max_length,
        truncated_rows=truncated,
        truncated_share=truncated / max(len(lengths), 1),
        histogram=histogram(lengths),
        by_label=_by_label(measured),
    )


def histogram(lengths: Iterable[int]) -> Histogram:
    """At most thirty bins of a round width up to the 99th percentile; a long tail is one number."""
    ordered = sorted(lengths)
    top = _quantile(ordered, 0.99) if ordered else 0
    width = next(nice * 10**power for power in range(10) for nice in _NICE if nice * 10**power * _BINS > top)
    counts = [0] * (top // width + 1)
    for length in ordered:
        if length // width < len(counts):
            counts[length // width] += 1
    return Histogram(width=width, counts=tuple(counts), beyond=len(ordered) - sum(counts))


def _by_label(measured: Sequence[Measured]) -> tuple[LabelLength, ...]:
    groups: dict[str, list[int]] = defaultdict(list)
    for row in measured:
        if row.label:
            groups[row.label].append(row.tokens)
    found = []
    for label, lengths in sorted(groups.items(), key=lambda item: (-len(item[1]), item[0]))[:_LABELS]:
        lengths.sort()
        found.append(LabelLength(label=label, rows=len(lengths), median=_quantile(lengths, 0.5), p95=_quantile(lengths, 0.95)))
    return tuple(sorted(found, key=lambda row: (-row.median, row.label)))


def _quantile(ordered: Sequence[int], q: float) -> int:
    return ordered[min(len(ordered) - 1, int(q * len(ordered)))] if ordered else 0
