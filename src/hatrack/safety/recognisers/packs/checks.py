"""Checks of values that more than one rule needs. Checksums come from python-stdnum where it has them."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable

from stdnum import bitcoin, iban, luhn

__all__ = ["card", "crypto", "date", "digit_count", "iban_code", "ip_address", "mixed"]

# Issuers by first digits, with the lengths they use (ISO/IEC 7812; lists published by the card networks).
ISSUERS = re.compile(
    r"""(?x)
    4(?:\d{12}|\d{15}|\d{18})                                                   # Visa
  | (?:5[1-5]\d{14}|2(?:2[2-9]|[3-6]\d|7[01])\d{13}|2720\d{12})                 # Mastercard
  | 3[47]\d{13}                                                                 # American Express
  | 3(?:0[0-59]|[689]\d)\d{11,16}                                               # Diners Club
  | 6(?:011|5\d\d|4[4-9]\d)\d{12,15}                                            # Discover
  | (?:2131|1800)\d{11} | 35(?:2[89]|[3-8]\d)\d{12,15}                          # JCB
  | (?:5018|5020|5038|5[6-9]\d\d|6304|6759|676[1-3])\d{8,15}                    # Maestro
  | 62\d{14,17}                                                                 # UnionPay
  | (?:60|8[12]|508)\d{13,14}                                                   # RuPay
    """
)
MONTHS = (
    "jan feb mar apr may jun jul aug sep oct nov dec",
    "janv févr mars avr mai juin juil août sept oct nov déc",
    "jan feb mär apr mai jun jul aug sep okt nov dez",
)
NOT_DIGITS = re.compile(r"\D+")


def _digits(value: str) -> str:
    return NOT_DIGITS.sub("", value)


def digit_count(fewest: int, most: int) -> Callable[[str], bool]:
    """A value with so many digits, whatever else stands between them."""
    return lambda value: fewest <= sum(character.isdigit() for character in value) <= most


def mixed(value: str) -> bool:
    """Five digits, or three and a letter: the number of a document and not a word or a year."""
    digits = sum(character.isdigit() for character in value)
    return digits >= 5 or (digits >= 3 and any(character.isalpha() for character in value))


def card(value: str) -> bool:
    """The number range of a known issuer, in a length it uses, with a valid Luhn digit."""
    number = _digits(value)
    return ISSUERS.fullmatch(number) is not None and luhn.is_valid(number)


def iban_code(value: str) -> bool:
    """ISO 13616: known country, its length and structure, remainder of 97."""
    return bool(iban.is_valid(value))


def crypto(value: str) -> bool:
    """A Bitcoin address with its checksum, or the form of an Ethereum address, whose checksum is optional (EIP-55)."""
    return value.startswith("0x") or bool(bitcoin.is_valid(value))


def ip_address(value: str) -> bool:
    """An IPv4 or IPv6 address; ``::`` between two short words of a program is none."""
    try:
        return int(ipaddress.ip_address(value)) != 0 and any(character.isdigit() for character in value)
    except ValueError:
        return False


def date(value: str) -> bool:
    """A day that a living person may have been born on: written with numbers in any order, or with the name of the month."""
    numbers = [int(number) for number in re.findall(r"\d+", value)]
    year = next((number for number in numbers if 1890 <= number <= 2035), None)
    named = any(name in value.lower() for names in MONTHS for name in names.split())
    if named:
        return year is not None and all(1 <= number <= 31 for number in numbers if number != year)
    if len(numbers) != 3:
        return False
    small = sorted(numbers)[:2] if year is None else sorted(number for number in numbers if number != year)
    return len(small) == 2 and 1 <= small[0] <= 12 and 1 <= small[1] <= 31 and (year is not None or max(numbers) <= 99)
