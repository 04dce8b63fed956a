"""Country packs: a pack is a tuple of rules; a rule is a pattern, a checksum and the words that make a bare number mean something."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from hatrack.core.plugins import Plugins

__all__ = ["PACKS", "Pack", "Rule"]


@dataclass(frozen=True)
class Rule:
    """How one identifier looks.

    Attributes:
        type: the type reported.
        pattern: regular expression of the value, or of label and value with the value in the group ``v``. It must not be able
            to run long: every repetition has an upper bound, or is possessive and not refused by ``check`` afterwards. That no
            letter or digit touches the match is checked outside.
        alone: score where none of ``words`` is near; below 0.5 the match is dropped.
        near: score where one of them is.
        words: regular expression of words that make the meaning clear.
        check: what the value must satisfy: a checksum, a range.
        digits: the fewest digits in it; the rule is tried only where so many stand close together.
        needs: the rule is tried on the whole text, and only when one of these stands in it; then ``digits`` does not count.
    """

    type: str
    pattern: str
    alone: float = 0.0
    near: float = 0.0
    words: str = ""
    check: Callable[[str], bool] | None = None
    digits: int = 4
    needs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Pack:
    """The rules of one country, or those that hold everywhere (``country`` None)."""

    country: str | None
    rules: tuple[Rule, ...]


PACKS: Plugins[Pack] = Plugins(
    "pack",
    {
        "DE": "hatrack.safety.recognisers.packs.de:PACK",
        "FR": "hatrack.safety.recognisers.packs.fr:PACK",
        "GB": "hatrack.safety.recognisers.packs.gb:PACK",
        "IN": "hatrack.safety.recognisers.packs.ind:PACK",
        "US": "hatrack.safety.recognisers.packs.us:PACK",
    },
)
