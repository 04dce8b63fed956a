"""United Kingdom. Types are called ``UK_``, as Presidio does; the country's code is GB."""

from __future__ import annotations

from stdnum.gb import nhs, utr, vat

from hatrack.safety.recognisers.packs.base import Pack, Rule
from hatrack.safety.recognisers.packs.world import PHONE_WORDS

__all__ = ["PACK"]

# Postcode areas, Royal Mail's list.
AREAS = (
    r"(?:A[BL]|B[ABDHLNRST]?|C[ABFHMORTVW]|D[ADEGHLNTY]|E[CHNX]?|F[KY]|G[LUY]?|H[ADGPRSUX]|I[GMPV]|JE|K[ATWY]|L[ADELNSU]?|M[EKL]?|"
    r"N[EGNPRW]?|O[LX]|P[AEHLOR]|R[GHM]|S[AEGKLMNOPRSTWY]?|T[ADFNQRSW]|UB|W[ACDFNRSV]?|YO|ZE)"
)
NINO = r"(?!BG|GB|KN|NK|NT|TN|ZZ)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?\d{2} ?\d{2} ?\d{2} ?[A-D]"
# Starts of national numbers: geographic 01, 02, 03; mobile 07; freephone and services 08. Lengths by the National Numbering Plan.
NATIONAL = r"(?:2\d[ \-]?\d{4}[ \-]?\d{4}|1\d{2,3}[ \-]?\d{3}[ \-]?\d{3,4}|7\d{3}[ \-]?\d{3}[ \-]?\d{3}|[38]\d{2}[ \-]?\d{3}[ \-]?\d{4})"

PACK = Pack(
    "GB",
    (
        Rule("UK_NHS", r"\d{3}([ \-]?)\d{3}\1\d{4}", near=0.95, words=r"nhs|health service|patient", check=nhs.is_valid, digits=10),
        Rule("UK_NINO", NINO, alone=0.85, digits=6),
        Rule(
            "UK_UTR",
            r"\d{5} ?\d{5}",
            near=0.95,
            words=r"utr|unique tax(?:payer)? reference|self[ \-]assessment|hmrc|tax reference",
            check=utr.is_valid,
            digits=10,
        ),
        Rule("UK_VAT", r"GB ?(?:\d{3} ?\d{4} ?\d{2}(?: ?\d{3})?)", alone=0.95, check=vat.is_valid, digits=9),
        Rule("UK_VAT", r"\d{3} ?\d{4} ?\d{2}", near=0.9, words=r"vat(?: number| no| reg(?:istration)?)?", check=vat.is_valid, digits=9),
        Rule(
            "UK_SORT_CODE",
            r"(?i:sort[ \-]?code)(?i:\s(?:is|number|no\.?)){0,2}[\s:]{0,3}(?P<v>\d{2}([ \-]?)\d{2}\2\d{2})",
            alone=0.9,
            digits=6,
        ),
        Rule("UK_POSTCODE", rf"{AREAS}\d[A-Z\d]? ?\d[ABD-HJLNP-UW-Z]{{2}}|GIR ?0AA", alone=0.7, digits=2),
        Rule("PHONE_NUMBER", rf"(?:\+|00)44 ?(?:\(0\) ?)?{NATIONAL}", alone=0.85, digits=11),
        Rule("PHONE_NUMBER", rf"0{NATIONAL}", near=0.75, words=PHONE_WORDS, digits=10),
        Rule("PHONE_NUMBER", r"07\d{3} \d{3} ?\d{3}|02\d \d{4} \d{4}|\(0\d{2,4}\) ?\d{3,4} ?\d{3,4}", alone=0.75, digits=10),
    ),
)
