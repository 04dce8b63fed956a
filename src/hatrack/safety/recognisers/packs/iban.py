"""How long an IBAN is in each country (SWIFT's registry): so that the word behind it is not taken for a part of it."""

from __future__ import annotations

__all__ = ["IBAN", "LENGTHS"]

LENGTHS = {
    15: "NO",
    16: "BE",
    18: "DK FI FK FO GL NL SD",
    19: "MK SI",
    20: "AT BA EE KZ LT LU MN XK",
    21: "CH HR LI LV",
    22: "BG BH CR DE GB GE IE ME RS VA",
    23: "AE GI IL IQ OM SO TL",
    24: "AD CZ ES MD PK RO SA SE SK TN VG",
    25: "LY PT ST",
    26: "IS TR",
    27: "BI DJ FR GR IT MC MR SM",
    28: "AL AZ BY CY DO GT HN HU LB NI PL SV",
    29: "BR EG PS QA UA",
    30: "JO KW MU YE",
    31: "MT SC",
    32: "LC",
    33: "RU",
}


def _pattern(length: int, countries: str) -> str:
    fours, rest = divmod(length - 4, 4)
    tail = rf" ?[A-Z0-9]{{{rest}}}" if rest else ""
    return rf"(?:{countries.replace(' ', '|')})\d{{2}}(?: ?[A-Z0-9]{{4}}){{{fours}}}{tail}"


IBAN = f"(?i:{'|'.join(_pattern(length, countries) for length, countries in LENGTHS.items())})"
