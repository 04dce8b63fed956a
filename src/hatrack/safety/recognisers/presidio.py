"""`presidio`: the extra `pii`. Everything `patterns` finds, and names, places, organisations, ages and dates."""

from __future__ import annotations

from collections.abc import Sequence

from hatrack.core.extras import require
from hatrack.safety.recognisers.base import Finding, without_overlaps
from hatrack.safety.recognisers.names import Names
from hatrack.safety.recognisers.packs.people import PACK as PEOPLE
from hatrack.safety.recognisers.patterns import Patterns
from hatrack.safety.recognisers.scan import Scanner

__all__ = ["Presidio"]


class _People:
    """Ages, titles and dates, by pattern."""

    types = frozenset(rule.type for rule in PEOPLE.rules)

    def __init__(self) -> None:
        self.find = Scanner([PEOPLE]).find


class Presidio:
    """Presidio's analyser, with our patterns and the installed models in the place of its own.

    Attributes:
        types: every type it may report; it depends on which models are installed.
        models: the wheels that find the names.

    Raises:
        MissingExtra: Presidio, or any model that finds names, is not installed.
        ConfigError: there is no pack for a country.
    """

    def __init__(self, countries: Sequence[str]) -> None:
        require("presidio_analyzer", extra="pii", reason="the recogniser presidio")
        from hatrack.safety.recognisers.presidio_engine import Engine

        patterns, names = Patterns(countries), Names()
        self._engine = Engine([patterns, _People(), names], countries)
        self.types = self._engine.types
        self.models = names.models

    def find(self, text: str) -> list[Finding]:
        """What stands in ``text``, in order, without overlaps."""
        return without_overlaps(self._engine.find(text))
