"""A text about one prediction: written by a model, checked, and replaced by the template where anything is wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Literal

from hatrack.tabular.wording.check import TextFault, check_text
from hatrack.tabular.wording.facts import Facts, readable
from hatrack.tabular.wording.template import Reader, template_text

__all__ = ["Worded", "prompt_for", "worded"]

_FOR = {
    "customer": "the customer whom it is about, in plain words and without technical terms",
    "analyst": "an analyst who knows the model",
    "auditor": "an auditor who checks that the decision follows from the figures",
}


@dataclass(frozen=True)
class Worded:
    """A text that may be shown.

    Attributes:
        source: who wrote it.
        rejected: what the model wrote, where it was not used; ``faults`` say why.
    """

    text: str
    source: Literal["model", "template"]
    rejected: str = ""
    faults: tuple[TextFault, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def worded(facts: Facts, reader: Reader, ask: Callable[[str], str] | None = None) -> Worded:
    """The text for a reader.

    Args:
        ask: prompt to text, by an adapter or a hosted model; without it the template is used.
    """
    if ask is None:
        return Worded(template_text(facts, reader), "template")
    written = ask(prompt_for(facts, reader)).strip()
    faults = tuple(check_text(written, facts))
    if faults:
        return Worded(template_text(facts, reader), "template", written, faults)
    return Worded(written, "model")


def prompt_for(facts: Facts, reader: Reader) -> str:
    """What a model is asked: the facts, the reader, and to add nothing."""
    one = facts.explanation
    lines = [f"Write two or three sentences for {_FOR[reader]}. Use only these facts. Add no other reason and no other number.", ""]
    if one.about:
        lines += [f"decision: {one.label}", f"probability of {one.about}: {one.score:.1%}"]
    else:
        lines.append(f"predicted {readable(facts.target)}: {one.score:.4g}")
    about = f"the probability of {one.about}" if one.about else "the value"
    for reason in facts.reasons:
        moves = "raises" if reason.contribution > 0 else "lowers"
        lines.append(f"reason: {readable(reason.column)} is {reason.value}; it {moves} {about}")
    return "\n".join(lines)
