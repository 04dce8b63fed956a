"""The text that needs no model: one sentence for the decision, one for each reason, for a given reader."""

from __future__ import annotations

from typing import Literal

from hatrack.tabular.explaining.reasons import Reason
from hatrack.tabular.wording.facts import Facts, readable

__all__ = ["READERS", "Reader", "template_text"]

Reader = Literal["customer", "analyst", "auditor"]
READERS: tuple[Reader, ...] = ("customer", "analyst", "auditor")


def template_text(facts: Facts, reader: Reader) -> str:
    """Plain English. customer: no figures but the score; analyst: with contributions; auditor: with threshold and start."""
    one = facts.explanation
    if one.about:
        text = f"The model puts the probability of {one.about} at {one.score:.1%} and decides: {one.label}."
    else:
        text = f"The model predicts {one.score:.4g} for {readable(facts.target)}."
    if reader == "auditor" and one.threshold is not None:
        text += f" It decides {one.about} from a probability of {one.threshold:.1%} on."
    if reader == "auditor":
        text += f" An average case starts at {one.start:+.3f} ({one.unit}), this one adds up to {one.margin:+.3f}."
    for reason in facts.reasons:
        text += f" {_sentence(reason, one.about or 'the value', figures=reader != 'customer', unit=one.unit)}"
    return text


def _sentence(reason: Reason, about: str, *, figures: bool, unit: str) -> str:
    name = readable(reason.column)
    moves = "raises" if reason.contribution > 0 else "lowers"
    what = f"the probability of {about}" if about != "the value" else about
    amount = f" by {abs(reason.contribution):.3f} ({unit})" if figures else ""
    return f"{name[:1].upper()}{name[1:]} ({reason.value}) {moves} {what}{amount}."
