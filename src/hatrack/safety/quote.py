"""Rows as they may be quoted: in messages, lists of rejected rows, notes and reports, what a policy looks for is masked.

What is quoted travels: an error to a colleague, a reject file to whoever exported the rows, a manifest with the data. So
whoever quotes a row asks here. With ``report`` the rows keep their values, and quotations do not; only ``off`` quotes as is.
"""

from __future__ import annotations

import functools
import re

from hatrack.core.config_prepare import PiiPolicy
from hatrack.safety.redact import Redactor

__all__ = ["SHOWN", "Quote", "quote_for"]

SHOWN = 80  # characters of a row that a line shows
_PARTIAL = 60  # characters at the end of cut text in which half a value may stand, which nothing recognises
_QUOTED = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"")


class Quote:
    """How text of the rows is quoted under one policy. Recognisers are made when something is quoted for the first time."""

    def __init__(self, policy: PiiPolicy) -> None:
        self._policy = policy

    def __call__(self, text: str) -> str:
        """The whole text, masked. Cut it afterwards: of half a value nobody sees that it is one."""
        return text if self._policy.mode == "off" else self._masking.apply([text]).texts[0]

    def excerpt(self, beginning: str) -> str:
        """At most ``SHOWN`` characters of ``records.beginning`` of a row, masked."""
        masked = self(beginning)
        if masked != beginning and beginning.endswith("…"):
            masked = masked[:-_PARTIAL].rstrip() + "…"
        return masked if len(masked) <= SHOWN else masked[: SHOWN - 1] + "…"

    def reason(self, reason: str) -> str:
        """Why a row is left out, the values in it masked.

        A recogniser of names sees them in our own words too, so it is shown only what the reason quotes.
        """
        if self._policy.mode == "off":
            return reason
        plain = self._identifiers.apply([reason]).texts[0]
        return plain if self._policy.recogniser == "patterns" else _QUOTED.sub(self._inside, plain)

    def _inside(self, quoted: re.Match[str]) -> str:
        text = quoted.group()
        return f"{text[0]}{self(text[1:-1])}{text[-1]}"

    @functools.cached_property
    def _masking(self) -> Redactor:
        return Redactor(self._policy.model_copy(update={"mode": "mask"}))

    @functools.cached_property
    def _identifiers(self) -> Redactor:
        return Redactor(self._policy.model_copy(update={"mode": "mask", "recogniser": "patterns", "types": None}))


@functools.lru_cache(maxsize=8)
def quote_for(policy: PiiPolicy) -> Quote:
    """The one way to quote under ``policy``: models of names are loaded once."""
    return Quote(policy)
