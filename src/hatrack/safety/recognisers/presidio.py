"""`presidio`: the extra `pii`. Everything `patterns` finds, and names, places, organisations, ages and dates; or all but names."""

from __future__ import annotations

from collections.abc import Sequence

from hatrack.core.extras import require
from hatrack.safety.recognisers.base import Finding, without_overlaps
from hatrack.safety.recognisers.names import Names
from hatrack.safety.recognisers.packs.people import PACK as PEOPLE
from hatrack.safety.recognisers.patterns import Patterns
from hatrack.safety.recognisers.scan import Scanner

__all__ = ["Presidio", "PresidioNoNames"]


class _People:
    """Ages, titles and dates, by pattern."""

    types = frozenset(rule.type for rule in PEOPLE.rules)

    def __init__(self) -> None:
        self.find = Scanner([PEOPLE]).find


class PresidioNoNames:
    """Presidio's analyser over our patterns, ages, titles and dates, without any model: it finds nobody's name.

    Attributes:
        types: every type it may report; ``PERSON`` is not among them.
        models: the wheels that find names.

    Raises:
        MissingExtra: Presidio is not installed.
        ConfigError: there is no pack for a country.
    """

    models: tuple[str, ...] = ()

    def __init__(self, countries: Sequence[str]) -> None:
        require("presidio_analyzer", extra="pii", reason="the recogniser presidio")
        from hatrack.safety.recognisers.presidio_engine import Engine

        self._engine = Engine([Patterns(countries), _People(), *self._of_names()], countries)
        self.types = self._engine.types

    def find(self, text: str) -> list[Finding]:
        """What stands in ``text``, in order, without overlaps."""
        return without_overlaps(self._engine.find(text))

    def _of_names(self) -> list[Names]:
        return []


class Presidio(PresidioNoNames):
    """The same with the installed models of names.

    Raises:
        MissingExtra: Presidio, or any model that finds names, is not installed.
    """

    def _of_names(self) -> list[Names]:
        names = Names()
        self.models = names.models
        return [names]
