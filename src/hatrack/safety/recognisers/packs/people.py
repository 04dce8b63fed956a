"""What describes a person without being an identifier: age, title, dates. Only the recogniser with names looks for it."""

from __future__ import annotations

from hatrack.safety.recognisers.packs.base import Pack, Rule
from hatrack.safety.recognisers.packs.world import DATE

__all__ = ["PACK"]

DAYS = (
    r"(?:(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day|(?:lun|mar|mercre|jeu|vendre|same)di|(?:Mon|Diens|Donners|Frei|Sams|Sonn)tag|Mittwoch)"
)
OLD = r"(?=[ \-]{1,2}(?i:years?[ \-]{1,2}(?:old|of age)|yrs?[ \-]{1,2}old|y/?o|months?[ \-]{1,2}old|ans|jahre alt)(?!\w))"
TITLES = r"(?:Mrs?|Ms|Dr|Prof|Mme|Mlle|Sr|Smt|Shri)\.(?=\s)|(?:Mrs?|Ms|Dr|Prof|Miss|Mme|Mlle|Herr|Frau|Shri|Smt)(?= [^\W\d_a-z])"

PACK = Pack(
    None,
    (
        Rule("TITLE", TITLES, 0.9, needs=("M", "Dr", "Prof", "Herr", "Frau", "S")),
        Rule("AGE", rf"\d{{1,3}}{OLD}", 0.9, digits=1),
        Rule("AGE", r"(?i:aged?|turn(?:ed|s|ing)?|âgée? de)\s(?P<v>\d{1,3})(?!\s?%)", 0.6, digits=1),
        Rule("DATE_TIME", r"\d{4}-\d{2}-\d{2}(?:[ T]\d{2}:\d{2}(?::\d{2})?)?", 0.7, digits=8),
        Rule("DATE_TIME", DATE, 0.6, digits=4),
        Rule("DATE_TIME", DAYS, 0.6, needs=("day", "di", "tag", "Mittwoch")),
        Rule("DATE_TIME", r"(?i:in|since|until|by|of|a|year|depuis|en|seit|im jahr) (?P<v>(?:1[89]|20)\d{2})", 0.6, digits=4),
    ),
)
