"""Germany."""

from __future__ import annotations

import re

from stdnum.de import idnr, vat

from hatrack.safety.recognisers.packs.base import Pack, Rule
from hatrack.safety.recognisers.packs.world import PHONE_WORDS

__all__ = ["PACK"]

ID_WORDS = r"personalausweis(?:nummer)?|ausweis(?:nummer|nr)?|pass(?:nummer|nr)?|id card|identity card|dokumentennummer"
TAX_WORDS = r"steuer[\- ]?(?:id|identifikationsnummer|nummer|nr)|idnr|identifikationsnummer|tax (?:id|number)|tin|finanzamt"


def _id_card(value: str) -> bool:
    """ICAO 9303: weights 7, 3, 1 over digits and letters (A is 10); the tenth place is the check digit."""
    if len(value) < 10:
        return re.search(r"\d", value) is not None
    total = sum(int(character, 36) * (7, 3, 1)[place % 3] for place, character in enumerate(value[:9]))
    return total % 10 == int(value[9])


PACK = Pack(
    "DE",
    (
        Rule("DE_TAX_ID", r"\d{2} \d{3} \d{3} \d{3}", alone=0.8, near=0.95, words=TAX_WORDS, check=idnr.is_valid, digits=11),
        Rule("DE_TAX_ID", r"[1-9]\d{10}", near=0.95, words=TAX_WORDS, check=idnr.is_valid, digits=11),
        Rule("DE_VAT_ID", r"DE ?\d{3} ?\d{3} ?\d{3}", alone=0.95, check=vat.is_valid, digits=9),
        Rule("DE_ID_CARD", r"[CFGHJKLMNPRTVWXYZ][CFGHJKLMNPRTVWXYZ0-9]{8}\d?", near=0.85, words=ID_WORDS, check=_id_card, digits=2),
        Rule("PHONE_NUMBER", r"(?:\+|00)49 ?(?:\(0\) ?)?[1-9]\d{1,4}[ /\-]?\d{2,8}(?:[ \-]\d{1,6}){0,3}", alone=0.85, digits=9),
        Rule(
            "PHONE_NUMBER",
            r"\(?0[1-9]\d{1,4}\)?[ ]?[/\- ]?[ ]?\d{2,8}(?:[ \-]\d{1,6}){0,3}",
            near=0.7,
            words=PHONE_WORDS,
            digits=8,
        ),
    ),
)
