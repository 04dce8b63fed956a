"""Attempts to overrule instructions, by how they are worded. Heuristics: they miss some, and hardly ever stop a plain question.

For questions, and for documents before they are shown to a model.
"""

from __future__ import annotations

import re

from hatrack.safety.detectors.phrases import phrases

__all__ = ["injection"]


_WORDS = {
    "ANY_OF ": r"(?:all |any |the |your |my |these |of |everything )*",
    "EARLIER": r"(?:previous|prior|above|earlier|preceding|system|former|initial|original|other)",
    "RULES": r"(?:instruction|prompt|rule|message|direction|context|guideline)s?",
    "PROMPT": r"(?:system prompt|(?:hidden|initial) (?:prompt|instructions)|your instructions|text above|that stands above)",
    "MACHINE": r"(?:AI|assistant|language models?|LLM|model|KI|IA)",
}
_ORDERS = {
    "overrules instructions": r"""
        \b(?:ignore|disregard|forget|override|bypass|skip) ANY_OF EARLIER <2> RULES
        \b(?:ignore|disregard|forget) (?:all |any |the |your |these )*(?:instructions|rules|guidelines|everything (?:above|before|else))
        \b(?:oublie[zr]?|ignore[zr]?) (?:toutes? )?(?:les|tes|vos) (?:consignes|instructions|règles)
        \b(?:vergiss|ignoriere) (?:alle|deine|die|sämtliche) <1> (?:anweisungen|regeln|vorgaben)
        \bnew (?:rules|instructions) (?:from|for) (?:your|the|you)\b
    """,
    "asks for the system prompt": r"""
        \b(?:repeat|print|reveal|show|tell|output|translate|display|leak) (?:me |us )*ANY_OF PROMPT
        \beverything (?:that stands |written )?above this (?:line|message)
    """,
    "changes the role": r"""
        \b(?:you are|you're|act as|become) (?:now )?(?:DAN|free of|no longer bound|an? (?:unrestricted|unfiltered|uncensored|jailbroken))
        \byou (?:now |must )?(?:have no|are without) (?:rules|restrictions|filters|limits)\b
        \bdo anything now\b
        \b(?:developer|debug|god|admin|jailbreak) mode (?:is )?(?:on|enabled|activated)\b
        \badmin override\b
    """,
    "speaks to the machine from a document": r"""
        \b(?:note|instruction|message|hint|hinweis|consigne)s? (?:to|for|an|pour) (?:the |any |die |l')?\s?MACHINE\b
        <!--\s*(?:AI|assistant|system|LLM)\b
        \b(?:dear|to any|hidden text:) (?:AI|assistant|language model)
        ###\s*(?:instruction|response)
    """,
    "forges a turn": r"""
        </?\s*(?:system|assistant|instructions?)\s*>
        <\|(?:im_start|im_end|system|assistant|endoftext)\|>
        \[/?(?:INST|SYS)\]
        ["']role["']\s*:\s*["'](?:system|assistant)["']
    """,
}


def _spelled(text: str) -> str:
    for name, words in _WORDS.items():
        text = text.replace(name, words)
    return text


_PATTERNS = {reason: re.compile(phrases(_spelled(text)), re.IGNORECASE) for reason, text in _ORDERS.items()}


def injection(text: str) -> str | None:
    """What the text tries, or None."""
    return next((reason for reason, pattern in _PATTERNS.items() if pattern.search(text)), None)
