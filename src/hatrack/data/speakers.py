"""Who in a transcript is the assistant: the one who answers for the organisation, known by name."""

from __future__ import annotations

import re
from collections.abc import Iterable

__all__ = ["answers", "known_speaker", "sides"]

# whole words; a role in any language is one more word here
_ANSWERS = re.compile(
    r"(?<![^\W\d_])(?:advis[eo]r|agente?|analyst|arzt|asesor|assistant|attorney|banker|berater|bot|broker|clerk|clinician|conseill(?:er|ère)|"
    r"consultant|counsell?or|csr|dispatcher|doctor|dr|employee|expert|gpt|helpdesk|lawyer|médecin|mitarbeiter|nurse|officer|operator|"
    r"paralegal|pharmacist|physician|rep|representative|solicitor|specialist|staff|supervisor|support|teller|therapist|tutor|underwriter)"
    r"(?![^\W\d_])",
    re.IGNORECASE,
)
_ASKS = re.compile(
    r"(?<![^\W\d_])(?:appelant|borrower|buyer|caller|claimant|cliente?|customer|guest|human|klient|kunde|member|parent|patient|policyholder|"
    r"student|subscriber|taxpayer|tenant|user|visitor)(?![^\W\d_])",
    re.IGNORECASE,
)


def answers(speaker: str) -> bool:
    """Whether a name is that of somebody who answers: ``Agent 2``, ``Support (Ana)``, ``Dr. Weiss``."""
    return bool(_ANSWERS.search(speaker))


def known_speaker(name: str) -> bool:
    """Whether a name is a role in a conversation, on either side."""
    return bool(_ANSWERS.search(name) or _ASKS.search(name))


def sides(speakers: Iterable[str]) -> dict[str, str]:
    """The role of each speaker of one conversation.

    Where somebody is called exactly ``Assistant``, only they are the assistant: this is how a file says who it is when
    the names do not. ``System`` is the system prompt. Everybody else is the user.

    Raises:
        ValueError: nobody is the assistant, or nobody else speaks.
    """
    names = list(dict.fromkeys(speakers))
    by_name = [name for name in names if name.strip().casefold() == "assistant"]
    ours = by_name or [name for name in names if answers(name)]
    system = [name for name in names if name.strip().casefold() == "system"]
    others = [name for name in names if name not in ours and name not in system]
    if not ours:
        raise ValueError(f"who is the assistant is not known: {_few(names)}; let the one who answers be called Assistant")
    if not others:
        raise ValueError(f"everybody here is the assistant: {_few(ours)}; let the one who answers be called Assistant")
    return {**dict.fromkeys(others, "user"), **dict.fromkeys(system, "system"), **dict.fromkeys(ours, "assistant")}


def _few(names: list[str]) -> str:
    return ", ".join(name[:40] for name in names[:4]) + (", ..." if len(names) > 4 else "")
