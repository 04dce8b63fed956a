"""`patterns`: built in, no model, no dependency but python-stdnum. Identifiers that a pattern, a checksum or a label decides."""

from __future__ import annotations

from collections.abc import Sequence

from hatrack.safety.recognisers.base import Finding
from hatrack.safety.recognisers.packs.base import PACKS
from hatrack.safety.recognisers.packs.world import PACK as WORLD
from hatrack.safety.recognisers.scan import Scanner

__all__ = ["Patterns"]


class Patterns:
    """The international rules and those of the given countries.

    Raises:
        ConfigError: there is no pack for a country.
    """

    def __init__(self, countries: Sequence[str]) -> None:
        packs = [WORLD, *(PACKS.get(country) for country in dict.fromkeys(countries))]
        self.types = frozenset(rule.type for pack in packs for rule in pack.rules)
        self._scanner = Scanner(packs)

    def find(self, text: str) -> list[Finding]:
        """What stands in ``text``, in order, without overlaps."""
        return self._scanner.find(text)
