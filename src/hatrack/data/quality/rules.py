"""The rules of thumb: which findings call for which advice."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from hatrack.data.quality.advice import (
    CLOSE_SHARE,
    CONFLICTS,
    FEW_ROWS,
    GOOD_ROWS,
    IMBALANCE,
    LABEL_ERRORS,
    LANGUAGE_SHARE,
    NEAR_DUPLICATES,
    TRUNCATED,
    TRUSTED_AGREEMENT,
    Advice,
    Severity,
)
from hatrack.data.quality.labels import FEW_PER_LABEL
from hatrack.data.quality.record import counted
from hatrack.data.quality.shapes import DOMINANT, Habit

if TYPE_CHECKING:
    from hatrack.data.quality.report import QualityReport

__all__ = ["advise"]

_ORDER: tuple[Severity, ...] = ("serious", "warning", "note")
_Found = Iterator[tuple[Severity, str, str, str]]


def advise(report: QualityReport) -> tuple[Advice, ...]:
    """All advice that the findings of ``report`` give rise to, the most serious first."""
    found = sorted((one for rule in _RULES for one in rule(report)), key=lambda one: _ORDER.index(one[0]))
    return tuple(Advice(severity=severity, what=what, because=because, do=do) for severity, what, because, do in found)


def _refused(report: QualityReport) -> _Found:
    if report.refusal:
        yield "serious", "training refuses this data", report.refusal.what, report.refusal.do or "correct these rows"


def _overlap(report: QualityReport) -> _Found:
    found = report.overlap
    if found and found.rows:
        yield (
            "serious",
            f"training rows also stand in {found.file}",
            f"{counted(found.rows, 'training row')} equal or nearly equal to one of its {counted(found.others, 'row')}; allowed: 0",
            f"remove these training rows, or do not quote a score on {found.file}",
        )


def _conflicts(report: QualityReport) -> _Found:
    found = report.conflicts
    if found and found.rows:
        share = found.rows / report.counts.total
        yield (
            "serious" if share > CONFLICTS else "warning",
            "texts that are alike carry different labels",
            f"{counted(found.rows, 'row')} against an earlier one, {_share(share)}; more than {CONFLICTS:.0%} is an unclear task",
            "decide which label is right, or add the context that tells the rows apart",
        )


def _label_errors(report: QualityReport) -> _Found:
    found = report.label_errors
    if found is None or not found.flagged:
        return
    if found.agreement < TRUSTED_AGREEMENT:
        yield (
            "warning",
            "the labels are hard to tell from the texts",
            f"a simple model names {found.agreement:.0%} of the labels it has not seen; it can be trusted from {TRUSTED_AGREEMENT:.0%} on",
            "read thirty rows yourself: are the labels clear? The list of likely errors holds many that are right",
        )
    elif found.share > LABEL_ERRORS:
        yield (
            "serious",
            "many labels are probably wrong",
            f"{counted(found.flagged, 'row')}, {_share(found.share)} of those looked at; more than {LABEL_ERRORS:.1%} is unusual",
            "review the list below before adding any row: quality counts for more than quantity",
        )
    else:
        yield (
            "note",
            "some labels are probably wrong",
            f"{counted(found.flagged, 'row')}, {_share(found.share)} of those looked at; up to {LABEL_ERRORS:.1%} is usual",
            "review the list below; the most certain come first",
        )


def _size(report: QualityReport) -> _Found:
    train = report.counts.rows["train"]
    if train < FEW_ROWS:
        yield (
            "warning",
            "there are few training rows",
            f"{counted(train, 'row')}; from {FEW_ROWS} to {GOOD_ROWS:,} good ones teach a task",
            "write more rows by hand, as different from each other as the questions will be",
        )


def _rejected(report: QualityReport) -> _Found:
    if report.counts.rejected:
        yield (
            "warning",
            "rows were left out",
            f"{counted(report.counts.rejected, 'row')} could not be used",
            "correct them; the reasons are counted below, and every row stands in the reject file",
        )


def _balance(report: QualityReport) -> _Found:
    found = report.labels
    if found is None:
        return
    if found.ratio > IMBALANCE:
        yield (
            "warning",
            "the labels are very uneven",
            f"the largest has {found.ratio:.0f} times the rows of the smallest; up to {IMBALANCE:.0f} times is workable",
            "add rows of the small labels, or merge them; read macro-F1, not accuracy",
        )
    if found.thin:
        yield (
            "warning",
            "some labels are thin",
            f"{_names(found.thin)} {_have(found.thin)} fewer than {FEW_PER_LABEL} training rows",
            "add rows for them, or merge them into a neighbour",
        )
    for split in ("test", "validation"):
        if found.missing[split]:
            yield (
                "warning",
                f"labels are missing from the {split} rows",
                f"{_names(found.missing[split])} {_have(found.missing[split])} none, so nothing is known about them",
                "add rows of these labels" + (" or give a test file of your own" if split == "test" else ""),
            )
    if found.alike:
        yield (
            "warning",
            "some labels look like one",
            "; ".join(" and ".join(group) for group in found.alike[:3]) + (" and others" if len(found.alike) > 3 else ""),
            "spell each label in one way; one class under two names is learned as two",
        )


def _lengths(report: QualityReport) -> _Found:
    found = report.lengths
    if found.truncated_share > TRUNCATED:
        yield (
            "serious",
            "rows are longer than max_length and are cut",
            f"{counted(found.truncated_rows, 'row')}, {_share(found.truncated_share)}; up to {TRUNCATED:.0%} is harmless",
            f"set train.max_length to {found.quantiles['p99']:,}, which holds 99 % of the rows, or shorten them",
        )


def _repeats(report: QualityReport) -> _Found:
    found = report.repeats
    share = found.exact_share + (found.near_share or 0)
    if share > NEAR_DUPLICATES:
        near = f", {found.near:,} nearly" if found.near is not None else ""
        yield (
            "warning",
            "many rows repeat another",
            f"{share:.1%} of the rows: {found.exact:,} exactly{near}; up to {NEAR_DUPLICATES:.0%} is usual",
            "set prepare: {duplicates: {exact: drop, near: drop}}; repeated rows teach nothing new and are learned by heart",
        )
    close = report.spread
    if close and close.close_share > max(CLOSE_SHARE, 2 * share):
        yield (
            "note",
            "many rows mean nearly the same",
            f"{close.close_share:.1%} have a neighbour within 0.05 ({close.source}, {close.basis}); up to {CLOSE_SHARE:.0%} is usual",
            "rows made from one template? Vary the words, or keep fewer of them",
        )


def _format(report: QualityReport) -> _Found:
    found = report.answers
    if found is None:
        return
    for habit in found.habits:
        if habit.odd:
            yield _one_form(habit)
    if found.spaced:
        yield (
            "note",
            "answers begin or end with white space",
            f"{found.spaced:,} of {found.answers:,} answers",
            "strip them: the model learns the spaces too",
        )
    if found.alike:
        yield (
            "warning",
            "some answers look like one",
            "; ".join(" and ".join(group) for group in found.alike[:3]) + (" and others" if len(found.alike) > 3 else ""),
            "spell each value in one way",
        )


def _one_form(habit: Habit) -> tuple[Severity, str, str, str]:
    total = sum(habit.counts.values())
    words = {"shape": "form", "ending": "ending", "first letter": "first letter"}[habit.trait]
    return (
        "warning" if habit.trait == "shape" else "note",
        f"some answers have another {words} than the rest",
        f"{1 - habit.odd / total:.1%} have '{habit.dominant}', {habit.odd:,} do not; from {DOMINANT:.0%} on, one form is meant",
        f"bring them to '{habit.dominant}', or to one form in all rows",
    )


def _edges(report: QualityReport) -> _Found:
    found = report.edges
    if found.short:
        yield (
            "warning",
            "some texts are next to empty",
            f"{counted(found.short, 'text')} with fewer than 3 letters or digits",
            "remove them, or set prepare: {clean: {min_characters: 3}}",
        )
    if found.extreme:
        yield (
            "note",
            "some texts are far longer than the rest",
            f"{counted(found.extreme, 'text')}; the longest has {found.extreme_rows[0].words:,} words, the median {found.median_words:,}",
            "look at them: are several rows pasted into one?",
        )


def _languages(report: QualityReport) -> _Found:
    found = report.languages
    if found is None or len(found.shares) < 2:
        return
    code, share = next(iter(found.shares.items()))
    others = [other for other in found.shares if other not in (code, "unsure")]
    if share >= LANGUAGE_SHARE and others:
        yield (
            "note",
            "a few texts are in another language",
            f"{share:.1%} are {code}; also {_names(others)}; from {LANGUAGE_SHARE:.0%} on, one language is meant",
            "add enough rows of the other language to learn from, or set prepare: {clean: {languages: [" + code + "]}}",
        )


def _privacy(report: QualityReport) -> _Found:
    found = report.privacy
    if found and found.rows:
        yield (
            "warning",
            "rows hold personal data",
            ", ".join(f"{kind} in {counted(count, 'row')}" for kind, count in list(found.rows.items())[:4]),
            "set prepare: {pii: {mode: mask}}; a model can repeat what it was trained on",
        )


def _share(share: float) -> str:
    return f"{share:.1%}" if share >= 0.001 else "under 0.1%"


def _names(labels: Sequence[str]) -> str:
    return ", ".join(labels[:3]) + (f" and {len(labels) - 3} more" if len(labels) > 3 else "")


def _have(labels: Sequence[str]) -> str:
    return "has" if len(labels) == 1 else "have"


_RULES = (
    _refused, _overlap, _conflicts, _label_errors, _lengths, _size, _balance, _format, _repeats, _privacy, _edges, _rejected, _languages,
)  # fmt: skip
