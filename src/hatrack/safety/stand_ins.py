"""Stand-ins for personal data: they keep the form, belong to nobody, and do not depend on the value they replace.

Where a range is reserved for examples it is used (RFC 2606, RFC 5737, RFC 3849, RFC 7042; telephone numbers set aside for
fiction by NANPA, Ofcom, Arcep and the Bundesnetzagentur). Other numbers become zeros with a counter at their end: the
separators and the length stay, and no authority issues such a number. Family names are invented.

What a model learns from them is the form; whatever it repeats later can be told from a leak at a glance. That is why the
digits are not drawn at random: a random number looks like somebody's.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Sequence

from stdnum import luhn
from stdnum.gb import nhs, utr
from stdnum.us import rtn

__all__ = ["PLACEHOLDER", "StandIns", "is_stand_in"]

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
# No value of these is free of meaning: "38" or "Tuesday" would say something that is not so.
NUMBERED = frozenset({"AGE", "DATE_OF_BIRTH", "DATE_TIME", "NRP", "TITLE"})
PHONES = {"DE": "030 23125 {0:03d}", "FR": "01 99 00 {1:02d} {2:02d}", "GB": "07700 900{0:03d}", "IN": "+91 00000 {0:05d}"}
# Counters that make a valid check digit behind zeros are passed over.
VALID = {"ABA_ROUTING_NUMBER": rtn, "CREDIT_CARD": luhn, "FR_SIREN": luhn, "FR_SIRET": luhn, "UK_NHS": nhs, "UK_UTR": utr, "US_NPI": luhn}
OURS = {
    "EMAIL_ADDRESS": rf"(?:{'|'.join(GIVEN)})\.(?:{'|'.join(FAMILY)})@example\.com",
    "URL": r"(?:https://)?(?:www\.)?site\d+\.example\.com",
    "PHONE_NUMBER": rf"(?:{'|'.join(REGIONS)})-555-01\d\d|030 23125 \d{{3}}|01 99 00 \d\d \d\d|07700 900\d{{3}}|\+91 00000 \d{{5}}",
    "IP_ADDRESS": r"(?:192\.0\.2|198\.51\.100|203\.0\.113)\.\d{1,3}|2001:db8::[0-9a-f]{1,4}",
    "MAC_ADDRESS": r"00[:\-]00[:\-]5E[:\-]00[:\-]53[:\-][0-9A-F]{2}",
    "PERSON": rf"(?:(?:{'|'.join(GIVEN)}) )?(?:{'|'.join(FAMILY)})|{'|'.join(GIVEN)}",
    "LOCATION": rf"(?:\d+ (?:{'|'.join(FAMILY)}) Lane, )?(?:{'|'.join(TOWNS)})",
    "ORGANIZATION": rf"(?:{'|'.join(FAMILY)}) (?:{'|'.join(TRADES)})",
}
MADE = {kind: re.compile(pattern, re.IGNORECASE) for kind, pattern in OURS.items()}
TRIES = 500  # draws until a stand-in that is not in the document yet; then a numbered placeholder has to do


def is_stand_in(kind: str, value: str) -> bool:
    """Whether ``value`` is one that is made here, so that redacting twice changes nothing."""
    if kind in MADE and MADE[kind].fullmatch(value) is not None:
        return True
    marks = [character for character in value if character.isalnum()]
    digits = [character for character in marks if character.isdigit()]
    zeros = set(digits[:-3]) <= {"0"} and all(mark == "X" or mark.isdigit() for mark in marks)
    return bool(digits) and marks[0] in ("0", "X") and zeros


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
            if made.casefold() not in self._taken and not (kind in VALID and VALID[kind].is_valid(made)):
                self._taken += "\n" + made.casefold()
                return made
        return f"<{kind}_{self._counts[kind]}>"

    def _make(self, kind: str, value: str, country: str | None, count: int) -> str:
        if kind in NUMBERED:
            return f"<{kind}_{count}>"
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
        return self._phone(country, count) if kind == "PHONE_NUMBER" else _zeros(value, count)

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


def _zeros(value: str, count: int) -> str:
    """Digits become 0 and letters X; the counter stands in the last three digits."""
    shape = [("0" if character.isdigit() else "X") if character.isalnum() else character for character in value]
    places = [place for place, character in enumerate(value) if character.isdigit()][-3:]
    for place, digit in zip(reversed(places), reversed(f"{count % 1000:03d}"), strict=False):
        shape[place] = digit
    return "".join(shape)
