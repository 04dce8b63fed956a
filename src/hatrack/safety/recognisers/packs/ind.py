"""India."""

from __future__ import annotations

from stdnum.in_ import aadhaar, gstin, pan

from hatrack.safety.recognisers.packs.base import Pack, Rule
from hatrack.safety.recognisers.packs.world import PHONE_WORDS

__all__ = ["PACK"]

PACK = Pack(
    "IN",
    (
        Rule("IN_AADHAAR", r"[2-9]\d{3}([ \-])\d{4}\1\d{4}", alone=0.8, check=aadhaar.is_valid, digits=12),
        Rule("IN_AADHAAR", r"[2-9]\d{11}", near=0.95, words=r"aadhaa?r|uid(?:ai)?|आधार", check=aadhaar.is_valid, digits=12),
        Rule("IN_PAN", r"[A-Z]{3}[ABCFGHJLPT][A-Z]\d{4}[A-Z]", alone=0.85, check=pan.is_valid, digits=4),
        Rule("IN_GSTIN", r"\d{2}[A-Z]{5}\d{4}[A-Z][1-9A-Z]Z[0-9A-Z]", alone=1.0, check=gstin.is_valid, digits=6),
        Rule("PHONE_NUMBER", r"\+91[ \-]?[6-9]\d{4}[ \-]?\d{5}", alone=0.85, digits=12),
        Rule("PHONE_NUMBER", r"0?[6-9]\d{4}[ \-]?\d{5}", near=0.7, words=PHONE_WORDS, digits=10),
    ),
)
