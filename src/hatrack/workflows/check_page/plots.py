"""The pictures of the report: pure functions from findings to SVG text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from hatrack.data.quality.label_errors import Confusion
from hatrack.data.quality.labels import LabelCount
from hatrack.data.quality.lengths import LabelLength, TokenLengths
from hatrack.data.quality.record import counted
from hatrack.data.quality.report import MapPoint
from hatrack.workflows.check_page.svg import WIDTH, figure, line, rect, shortened, text

__all__ = ["COLOURS", "confusion_grid", "embedding_map", "label_bars", "label_lengths", "length_histogram", "split_bar"]

COLOURS = 8  # that the style sheet names c0 to c7
_NAMES = 184.0  # units for names at the left of bars
_LETTERS = 24  # that fit there
_ROW = 20.0


def split_bar(name: str, rows: Mapping[str, int]) -> str:
    """One bar, divided as the rows are."""
    total = sum(rows.values()) or 1
    parts, x = [], 0.0
    for i, (split, count) in enumerate(rows.items()):
        width = WIDTH * count / total
        parts.append(rect(x, 8, max(width - 2, 1), 22, f"c{i}", f"{split}: {count:,}"))
        x += width
    for i, (split, count) in enumerate(rows.items()):
        left = i * WIDTH / len(rows)
        parts += [
            rect(left, 42, 10, 10, f"c{i}"),
            text(left + 15, 51.5, f"{split} {count:,}"),
            text(left + 15, 67, f"{count / total:.1%}", "m"),
        ]
    return figure(name, "Rows of each split", ", ".join(f"{split} {count:,}" for split, count in rows.items()), 74, parts)


def length_histogram(name: str, lengths: TokenLengths) -> str:
    """Rows by length in tokens, with the line at which rows are cut."""
    bins, width = lengths.histogram.counts, lengths.histogram.width
    left, top, bottom, right = 44.0, 26.0, 170.0, WIDTH - 10.0
    limit_in = lengths.max_length <= 1.6 * width * len(bins)
    end = max(width * len(bins), lengths.max_length + width if limit_in else 0)
    scale, most = (right - left) / end, max([*bins, 1])
    parts = []
    for share in (0.5, 1.0):
        y = bottom - share * (bottom - top)
        parts += [line(left, y, right, y, "g"), text(left - 6, y + 4, _short(round(most * share)), "m", "end")]
    for i, count in enumerate(bins):
        height = (bottom - top) * count / most
        kind = "bad" if i * width > lengths.max_length else "bar"
        tip = f"{i * width} to {(i + 1) * width - 1} tokens: {counted(count, 'row')}"
        if count:
            parts.append(rect(left + i * width * scale + 0.5, bottom - height, max(width * scale - 1, 0.5), height, kind, tip))
    parts.append(line(left, bottom, right, bottom, "a"))
    step = next(nice * 10**power for power in range(10) for nice in (1, 2, 5) if end / (nice * 10**power) <= 8)
    parts += [text(left + at * scale, bottom + 17, f"{at:,}", "m", "middle") for at in range(0, end + 1, step)]
    beyond = f" ({counted(lengths.histogram.beyond, 'longer row')} not drawn)" if lengths.histogram.beyond else ""
    parts.append(text((left + right) / 2, bottom + 35, f"tokens in a row{beyond}", "m", "middle"))
    if limit_in:
        x = left + lengths.max_length * scale
        parts += [
            line(x, top - 8, x, bottom, "limit"),
            text(x, top - 12, f"max_length {lengths.max_length:,}", "limit", "end" if x > 200 else "start"),
        ]
    else:
        parts.append(text(right, top - 12, f"max_length {lengths.max_length:,} lies far to the right →", "m", "end"))
    at, cut = lengths.quantiles, counted(lengths.truncated_rows, "row")
    described = f"Median {at['p50']:,} tokens, 99 % have at most {at['p99']:,}, the longest {at['max']:,}; {cut} cut."
    return figure(name, "Lengths in tokens", described, bottom + 42, parts)


def label_bars(name: str, labels: Sequence[LabelCount]) -> str:
    """Training rows of the largest and the smallest labels."""
    shown: list[LabelCount | None] = list(labels) if len(labels) <= 20 else [*labels[:12], None, *labels[-7:]]
    most = max([label.train for label in labels] + [1])
    space = WIDTH - _NAMES - 46
    parts, y = [], 4.0
    for label in shown:
        if label is None:
            parts.append(text(_NAMES - 8, y + 14, f"… {len(labels) - 19:,} more …", "m", "end"))
        else:
            tip = f"{label.label}: {label.train:,} train, {label.validation:,} validation, {label.test:,} test"
            parts += [text(_NAMES - 8, y + 14, shortened(label.label, _LETTERS), "", "end")]
            parts.append(rect(_NAMES, y + 3, max(space * label.train / most, 1), _ROW - 6, "bar", tip))
            parts.append(text(_NAMES + space * label.train / most + 6, y + 14, f"{label.train:,}", "m"))
        y += _ROW
    described = f"{len(labels):,} labels; the largest has {labels[0].train:,} training rows, the smallest {labels[-1].train:,}."
    return figure(name, "Training rows of each label", described, y + 4, parts)


def label_lengths(name: str, rows: Sequence[LabelLength]) -> str:
    """Median and 95th percentile of the longest and the shortest labels."""
    shown: list[LabelLength | None] = list(rows) if len(rows) <= 20 else [*rows[:12], None, *rows[-7:]]
    most = max(row.p95 for row in rows) or 1
    space = WIDTH - _NAMES - 46
    parts, y = [], 4.0
    for row in shown:
        if row is None:
            parts.append(text(_NAMES - 8, y + 14, f"… {len(rows) - 19:,} more …", "m", "end"))
        else:
            median, p95 = _NAMES + space * row.median / most, _NAMES + space * row.p95 / most
            tip = f"{row.label}: median {row.median:,}, 95 % have at most {row.p95:,} tokens"
            parts += [
                text(_NAMES - 8, y + 14, shortened(row.label, _LETTERS), "", "end"),
                line(median, y + 10, p95, y + 10, "range"),
                f'<circle class="bar" cx="{median:.1f}" cy="{y + 10:.1f}" r="4.5"></circle>',
                rect(p95 - 1, y + 5, 2, 10, "bar", tip),
                text(p95 + 6, y + 14, f"{row.median:,} · {row.p95:,}", "m"),
            ]
        y += _ROW
    described = f"From {rows[0].label}, median {rows[0].median:,} tokens, to {rows[-1].label}, median {rows[-1].median:,}."
    return figure(name, "Length by label: median and 95th percentile", described, y + 4, parts)


def confusion_grid(name: str, confusions: Sequence[Confusion]) -> str:
    """Given label (rows) against suggested label (columns), for the labels that are most often in doubt."""
    weight: Counter[str] = Counter()
    for pair in confusions:
        weight[pair.given] += pair.rows
        weight[pair.suggested] += pair.rows
    labels = sorted(sorted(weight, key=lambda label: (-weight[label], label))[:12])
    at = {label: i for i, label in enumerate(labels)}
    inside = [pair for pair in confusions if pair.given in at and pair.suggested in at]
    most = max(pair.rows for pair in inside) if inside else 1
    side, left, top = (WIDTH - _NAMES - 56) / max(len(labels), 6), _NAMES, 122.0
    parts = []
    for label, i in at.items():
        parts.append(text(left - 8, top + (i + 0.5) * side + 4, shortened(label, _LETTERS), "", "end"))
        parts.append(text(left + (i + 0.5) * side + 4, top - 8, shortened(label, 20), "", "start", -60))
        parts += [rect(left + j * side + 1, top + i * side + 1, side - 2, side - 2, "cell") for j in range(len(labels)) if j != i]
    for pair in inside:
        x, y = left + at[pair.suggested] * side, top + at[pair.given] * side
        level = 1 + round(3 * (pair.rows - 1) / max(most - 1, 1))
        parts.append(
            rect(
                x + 1, y + 1, side - 2, side - 2, f"heat{level}", f"{pair.given}, looks like {pair.suggested}: {counted(pair.rows, 'row')}"
            )
        )
        parts.append(text(x + side / 2, y + side / 2 + 4, f"{pair.rows:,}", f"on{level}", "middle"))
    strongest = ", ".join(f"{pair.given} as {pair.suggested} {pair.rows:,}" for pair in confusions[:3])
    title = "Likely errors: given label (rows), suggested label (columns)"
    return figure(name, title, f"Most frequent: {strongest}.", top + len(labels) * side + 6, parts)


def embedding_map(name: str, points: Sequence[MapPoint]) -> str:
    """Rows on their two principal axes, the largest labels in colour."""
    sizes = Counter(point.label for point in points if point.label)
    top = sorted(sizes, key=lambda label: (-sizes[label], label))[:COLOURS]
    colour = {label: f"c{i}" for i, label in enumerate(top)}
    size, height = WIDTH - 12.0, 330.0
    low_x, high_x, low_y, high_y = (side(getattr(p, axis) for p in points) for axis in "xy" for side in (min, max))
    places: dict[str, list[str]] = {}
    for point in points:
        x = 6 + size * (point.x - low_x) / ((high_x - low_x) or 1)
        y = 6 + (height - 12) * (high_y - point.y) / ((high_y - low_y) or 1)
        places.setdefault(colour.get(point.label, "rest" if point.label else "c0"), []).append(f"M{x:.0f} {y:.0f}h0")
    kinds = sorted(places, key=lambda kind: (kind != "rest", kind))  # grey lies beneath
    parts = [rect(0, 0, WIDTH, height, "plane"), *(f'<path class="dot {kind}" d="{"".join(places[kind])}"/>' for kind in kinds)]
    named = [(colour[label], label, sizes[label]) for label in top]
    if len(sizes) > len(top):
        named.append(("rest", f"{len(sizes) - len(top):,} other labels", sum(sizes.values()) - sum(sizes[label] for label in top)))
    for i, (kind, label, count) in enumerate(named):
        x, y = (i % 2) * WIDTH / 2, height + 20 + (i // 2) * 18
        parts += [f'<path class="dot key {kind}" d="M{x + 6:.0f} {y - 4:.0f}h0"/>', text(x + 16, y, f"{shortened(label, 26)} ({count:,})")]
    described = f"{len(points):,} rows; rows that lie close together mean similar things" + (
        f". In colour: {', '.join(top)}." if top else "."
    )
    return figure(name, "Map of the rows (first two principal components)", described, height + 16 + 18 * ((len(named) + 1) // 2), parts)


def _short(number: int) -> str:
    return f"{number / 1000:g}k" if number >= 10_000 else f"{number:,}"
