"""France."""

from __future__ import annotations

from stdnum.fr import nir, siren, siret, tva

from hatrack.safety.recognisers.packs.base import Pack, Rule
from hatrack.safety.recognisers.packs.world import PHONE_WORDS

__all__ = ["PACK"]

COMPANY_WORDS = r"sire[nt]|rcs|siège|immatriculée?|insee|entreprise|société|registre"

PACK = Pack(
    "FR",
    (
        Rule("FR_SIREN", r"\d{3}([ .]?)\d{3}\1\d{3}", near=0.9, words=COMPANY_WORDS, check=siren.is_valid, digits=9),
        Rule("FR_SIRET", r"\d{3} \d{3} \d{3} \d{5}", alone=0.85, near=0.95, words=COMPANY_WORDS, check=siret.is_valid, digits=14),
        Rule("FR_SIRET", r"\d{14}", near=0.95, words=COMPANY_WORDS, check=siret.is_valid, digits=14),
        Rule(
            "FR_NIR",
            r"[1278] ?\d{2} ?(?:0[1-9]|1[0-2]|[2-4]\d|[5-9]\d) ?(?:\d{2}|2[AB]) ?\d{3} ?\d{3} ?\d{2}",
            alone=0.9,
            check=nir.is_valid,
            digits=14,
        ),
        Rule("FR_TVA", r"FR ?[0-9A-HJ-NP-Z]{2} ?\d{3} ?\d{3} ?\d{3}", alone=0.95, check=tva.is_valid, digits=9),
        Rule("PHONE_NUMBER", r"0[1-9]([ .\-])\d{2}(?:\1\d{2}){3}", alone=0.8, digits=10),
        Rule("PHONE_NUMBER", r"0[1-9]\d{8}", near=0.7, words=PHONE_WORDS, digits=10),
        Rule("PHONE_NUMBER", r"(?:\+|00)33 ?(?:\(0\) ?)?[1-9](?:[ .\-]?\d{2}){4}", alone=0.85, digits=11),
    ),
)
