"""United States of America."""

from __future__ import annotations

from stdnum.us import ein, itin, rtn, ssn

from hatrack.safety.recognisers.packs.base import Pack, Rule
from hatrack.safety.recognisers.packs.checks import mixed
from hatrack.safety.recognisers.packs.world import PASSPORT_LABEL, PHONE_WORDS

__all__ = ["PACK"]

STATES = (
    r"(?:A[AEKLPRSZ]|C[AOT]|D[CE]|F[LM]|G[AU]|HI|I[ADLN]|K[SY]|LA|M[ADEHINOPST]|N[CDEHJMVY]|O[HKR]|P[AR]|RI|S[CD]|T[NX]|UT|V[AIT]|W[AIVY])"
)

# Mail of the armed forces: unit or ship, then the post office and its region (USPS Publication 28).
MILITARY = r"(?:(?:PSC|CMR|Unit) \d{1,6},? ?Box \d{1,6}|US(?:S|NS|CGC) [\w.' \-]{2,40}?)[\s,]{1,4}[ADF]PO,? A[AEP] \d{5}(?:-\d{4})?"

PACK = Pack(
    "US",
    (
        Rule("US_SSN", r"\d{3}-\d{2}-\d{4}", alone=0.9, check=ssn.is_valid, digits=9),
        Rule(
            "US_SSN",
            r"\d{3} ?\d{2} ?\d{4}",
            near=0.85,
            words=r"ssn|social security(?: number| no)?|ss ?#",
            check=lambda value: bool(ssn.is_valid(value.replace(" ", ""))),
            digits=9,
        ),
        Rule("US_ITIN", r"9\d{2}-\d{2}-\d{4}", alone=0.85, check=itin.is_valid, digits=9),
        Rule("US_ITIN", r"9\d{8}", near=0.85, words=r"itin|individual taxpayer", check=itin.is_valid, digits=9),
        Rule(
            "US_EIN",
            r"\d{2}-\d{7}",
            near=0.85,
            words=r"f?ein|employer identification|employer id|federal tax|tax id|irs",
            check=ein.is_valid,
            digits=9,
        ),
        Rule(
            "ABA_ROUTING_NUMBER",
            r"\d{9}",
            near=0.9,
            words=r"aba|routing|rtn|transit|ach|wire",
            check=rtn.is_valid,
            digits=9,
        ),
        Rule(
            "US_DRIVER_LICENSE",
            r"(?i:driver(?:['’]?s|s['’])?\s{1,2}licen[sc]e|driving\s{1,2}license|\bdl)(?i:\s(?:number|no\.?|num|id|is)|\s?#){0,3}[\s:#]{0,3}"
            r"(?P<v>[A-Z0-9](?:[ \-]?(?=[A-Z]{0,3}\d)[A-Z0-9]{1,12}){0,4})",
            alone=0.75,
            check=mixed,
            digits=4,
        ),
        Rule("US_PASSPORT", rf"{PASSPORT_LABEL}(?P<v>[A-Z]\d{{8}}|\d{{9}})", alone=0.75, digits=8),
        Rule(
            "PHONE_NUMBER",
            r"(?:\+?1[ .\-]?)?(?:\([2-9]\d{2}\) ?|[2-9]\d{2}[ .\-])[2-9]\d{2}[ .\-]\d{4}(?: ?(?i:x|ext\.?) ?\d{1,5})?",
            alone=0.75,
            digits=10,
        ),
        Rule("PHONE_NUMBER", r"(?:\+?1[ .\-]?)?[2-9]\d{2}[2-9]\d{6}", near=0.7, words=PHONE_WORDS, digits=10),
        Rule("LOCATION", MILITARY, alone=0.85, digits=5),
        Rule("ZIP_CODE", rf"{STATES}[ ,]{{1,2}}(?P<v>\d{{5}}(?:-\d{{4}})?)", alone=0.7, digits=5),
    ),
)
