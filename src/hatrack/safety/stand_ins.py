"""Stand-ins for personal data: of the same kind, nobody's, and independent of the value they replace.

What text is fluent with keeps its form: addresses of mail, web and net, telephone numbers, names, places. Their stand-ins
come from ranges reserved for examples (RFC 2606, RFC 5737, RFC 3849, RFC 7042; numbers set aside for fiction by NANPA,
Ofcom, Arcep and the Bundesnetzagentur) and from invented names. For numbers of authorities, banks and documents, and for
dates and ages, nothing is reserved: any digits are somebody's or wrong. They become numbered placeholders, which keep who is
who and can never be taken for a leak when a model repeats them.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Sequence

__all__ = ["PLACEHOLDER", "STAND_IN", "StandIns"]

PLACEHOLDER = re.compile(r"<[A-Z][A-Z_]+(?:_[0-9]+)?>")
GIVEN = ["Alex", "Andrea", "Ari", "Camille", "Charlie", "Dana", "Dominique", "Eden", "Jamie", "Jules", "Kim", "Kiran", "Leslie", "Luca"]
GIVEN += ["Mika", "Nikita", "Noor", "Remy", "Robin", "Sacha", "Sam", "Toni", "Yael"]
FAMILY = ["Brindlewick", "Copperhythe", "Dunhallow", "Elderbrae", "Fenwright", "Foxlade", "Greywick", "Harrowmint", "Hazelgrave"]
FAMILY += ["Juniperly", "Kestrelow", "Larkspurne", "Lindenmarsh", "Marrowby", "Merridown", "Mossgarth", "Orlaby", "Pellworth", "Pinehythe"]
FAMILY += ["Quillfen", "Ravenmoor", "Saltmarrow", "Stonefinch", "Tarnholt", "Thornquist", "Tidewick", "Umberfold", "Valewyn", "Winterlow"]
TOWNS = ["Ashvale", "Bellmere", "Coldharrow", "Driftham", "Emberley", "Fallowick", "Glimmerton", "Heronsby", "Inkfield", "Jasperham"]
TOWNS += ["Lorncaster", "Millowby", "Northfen", "Oxbarrow", "Plumstow", "Rookminster", "Sorrelton", "Thistleham", "Underwick", "Wrenford"]
TRADES = ["Holdings", "Partners", "Services", "Supplies", "Trading", "Works"]
REGIONS = ["202", "303", "404", "505", "606", "707"]
NETS = ["192.0.2.", "198.51.100.", "203.0.113."]
PHONES = {"DE": "030 23125 {0:03d}", "FR": "01 99 00 {1:02d} {2:02d}", "GB": "07700 900{0:03d}", "IN": "+91 00000 {0:05d}"}
TRIES = 500  # draws until a stand-in that is not in the document yet; then a numbered placeholder has to do

_FAMILY, _TOWNS, _TRADES = "|".join(FAMILY), "|".join(TOWNS), "|".join(TRADES)
# Every form that is made here, as it stands in a text: nothing is to be found in it again.
STAND_IN = re.compile(
    rf"""(?ix)(?<![\w.\-]) (?:
        [a-z]+ \. (?:{_FAMILY}) @example\.com
      | (?:https://)? (?:www\.)? site\d+ \.example\.com
      | (?:{"|".join(REGIONS)}) -555-01\d\d | 030\ 23125\ \d{{3}} | 01\ 99\ 00\ \d\d\ \d\d | 07700\ 900\d{{3}} | \+91\ 00000\ \d{{5}}
      | (?:192\.0\.2 | 198\.51\.100 | 203\.0\.113) \. \d{{1,3}} | 2001:db8::[0-9a-f]{{1,4}}
      | 00[:\-]00[:\-]5E[:\-]00[:\-]53[:\-][0-9A-F]{{2}}
      | (?:(?:{"|".join(GIVEN)})\ )? (?:{_FAMILY}) (?:\ (?:{_TRADES}))?
      | (?:\d+\ (?:{_FAMILY})\ Lane,\ )? (?:{_TOWNS})
    ) (?!\w) (?![.\-:]\w)"""
)


class StandIns:
    """The stand-ins of one document: one value, one stand-in, in all its texts.

    Args:
        seed: which names are drawn, together with ``skeleton``.
        skeleton: digest of the document without its personal data. Drawing by it varies the names between documents, and
            nothing of the values goes in.
        texts: the document; what stands there already is not used again.
    """

    def __init__(self, seed: int, skeleton: str, texts: Iterable[str]) -> None:
        self._random = random.Random(f"{seed}|{skeleton}")
        self._taken = "\n".join(texts).casefold()
        self._given: dict[tuple[str, str], str] = {}
        self._counts: dict[str, int] = {}
        self._parts: dict[str, str] = {}

    def meet(self, texts: Iterable[str]) -> None:
        """More of the same document: what stands there is not used as a stand-in from now on."""
        self._taken += "\n" + "\n".join(texts).casefold()

    def get(self, kind: str, value: str, country: str | None) -> str:
        """The stand-in for ``value``; the same one whenever it is the same but for case, spaces and separators."""
        same = "".join(character for character in value.casefold() if character.isalnum()) or value
        known = self._given.get((kind, same))
        if known is None:
            part = self._parts.get(value.casefold()) if kind == "PERSON" else None
            known = self._given[kind, same] = part or self._new(kind, value, country)
        if kind == "PERSON" and value.isupper():
            return known.upper()
        return known.lower() if kind == "PERSON" and value.islower() else known

    def _new(self, kind: str, value: str, country: str | None) -> str:
        for _ in range(TRIES):
            count = self._counts[kind] = self._counts.get(kind, 0) + 1
            made = self._make(kind, value, country, count)
            if made.casefold() not in self._taken:
                self._taken += "\n" + made.casefold()
                return made
        return f"<{kind}_{self._counts[kind]}>"

    def _make(self, kind: str, value: str, country: str | None, count: int) -> str:
        make = {
            "EMAIL_ADDRESS": self._email,
            "IP_ADDRESS": self._ip,
            "LOCATION": self._place,
            "MAC_ADDRESS": _mac,
            "ORGANIZATION": self._organisation,
            "PERSON": self._person,
            "URL": _url,
        }.get(kind)
        if make is not None:
            return make(value, count)
        return self._phone(country, count) if kind == "PHONE_NUMBER" else f"<{kind}_{count}>"

    def _draw(self, pool: Sequence[str]) -> str:
        return self._random.choice(pool)

    def _email(self, value: str, count: int) -> str:
        return f"{self._draw(GIVEN)}.{self._draw(FAMILY)}@example.com".lower()

    def _ip(self, value: str, count: int) -> str:
        return f"2001:db8::{count:x}" if ":" in value else f"{self._draw(NETS)}{count % 254 + 1}"

    def _phone(self, country: str | None, count: int) -> str:
        form = PHONES.get(country or "")
        return form.format(count % 1000, count // 100 % 100, count % 100) if form else f"{self._draw(REGIONS)}-555-01{count % 100:02d}"

    def _place(self, value: str, count: int) -> str:
        town = self._draw(TOWNS)
        return f"{count} {self._draw(FAMILY)} Lane, {town}" if any(character.isdigit() for character in value) else town

    def _organisation(self, value: str, count: int) -> str:
        return f"{self._draw(FAMILY)} {self._draw(TRADES)}"

    def _person(self, value: str, count: int) -> str:
        """A full name also decides what its first and its last word become where they stand alone."""
        given, family, words = self._draw(GIVEN), self._draw(FAMILY), value.casefold().split()
        if len(words) == 1:
            return family
        self._parts |= {words[0]: given, words[-1]: family}
        return f"{given} {family}"


def _mac(value: str, count: int) -> str:
    return ("-" if "-" in value else ":").join(["00", "00", "5E", "00", "53", f"{count % 256:02X}"])


def _url(value: str, count: int) -> str:
    return f"{'https://' if '://' in value else ''}{'www.' if 'www.' in value.lower() else ''}site{count}.example.com"
