"""Real records for the quickstart, from small packages of the package index: no hub, nothing invented.

legal    software licence names to their legal category     license-expression (ScanCode LicenseDB, CC BY 4.0)
finance  merchant descriptions to card category groups       iso18245 (ISO 18245 merchant category codes)
medical  diagnosis names to ICD-10-CM chapters               simple-icd-10-cm (ICD-10-CM, US public domain)
"""

from __future__ import annotations

import json
import random
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from hatrack.core.extras import require

__all__ = ["DOMAINS", "Record", "records", "select"]

Record = tuple[str, str, str]  # text, label, group: rows of one group are variants of one thing

_REASON = "the quickstart's example data"

# The blocks of merchant codes that ISO 18245 leaves to private use, as the card schemes fill them.
_PRIVATE_BLOCKS = {(3000, 3299): "Airlines", (3351, 3441): "Car rental", (3501, 3999): "Hotels and lodging"}

_LICENCES = ("Permissive", "Copyleft", "Copyleft Limited", "Public Domain", "Proprietary Free")

_CHAPTERS = {
    "1": "Infectious diseases",
    "2": "Neoplasms",
    "3": "Blood and immune disorders",
    "4": "Endocrine and metabolic diseases",
    "5": "Mental disorders",
    "6": "Nervous system",
    "7": "Eye",
    "8": "Ear",
    "9": "Circulatory system",
    "10": "Respiratory system",
    "11": "Digestive system",
    "12": "Skin",
    "13": "Musculoskeletal system",
    "14": "Genitourinary system",
    "15": "Pregnancy and childbirth",
    "19": "Injury and poisoning",
}


def _legal() -> Iterable[Record]:
    package = require("license_expression", extra="quickstart", reason=_REASON)
    index = Path(str(package.__file__)).parent / "data" / "scancode-licensedb-index.json"
    rows = json.loads(index.read_text(encoding="utf-8"))
    for row in rows:
        if not row["is_deprecated"] and row["category"] in _LICENCES:
            yield row["license_key"].replace("-", " "), row["category"], row["license_key"].rstrip("0123456789.-")


def _finance() -> Iterable[Record]:
    package = require("iso18245", extra="quickstart", reason=_REASON)
    for code in package.get_all_mccs():
        block = next((name for (low, high), name in _PRIVATE_BLOCKS.items() if low <= int(code.mcc) <= high), None)
        label = block or (None if code.range.reserved else code.range.description)
        if label in (None, "Other"):
            continue
        fields = (code.iso_description, code.usda_description, code.visa_description, code.mastercard_description, code.amex_description)
        names = {" ".join(name.split()) for name in fields if name.strip()}
        for name in sorted({name.casefold(): name for name in sorted(names)}.values()):
            yield name, str(label), code.mcc


def _medical() -> Iterable[Record]:
    package = require("simple_icd_10_cm", extra="quickstart", reason=_REASON)
    for code in package.get_all_codes():
        if package.is_category(code) or (package.is_subcategory(code) and package.is_leaf(code) and len(code) == 5):
            chapter = package.get_ancestors(code)[-1]
            if chapter in _CHAPTERS:
                yield package.get_description(code), _CHAPTERS[chapter], code[:3]


DOMAINS = {
    "legal": (_legal, "Name the legal category of this software licence."),
    "finance": (_finance, "Name the category of this merchant."),
    "medical": (_medical, "Name the ICD-10 chapter of this diagnosis."),
}


def records(domain: str) -> list[Record]:
    """All records of a domain, each text once.

    Raises:
        MissingExtra: the package that ships them is not installed.
    """
    make, _ = DOMAINS[domain]
    return list({text.casefold(): (text, label, group) for text, label, group in make()}.values())


def select(rows: Iterable[Record], count: int, seed: int) -> list[Record]:
    """``count`` rows, at random, with no label above a fair share while others have rows left."""
    rng = random.Random(seed)
    by_label: dict[str, list[Record]] = defaultdict(list)
    for row in rows:
        by_label[row[1]].append(row)
    for pool in by_label.values():
        rng.shuffle(pool)
    chosen: list[Record] = []
    while len(chosen) < count and any(by_label.values()):
        for label in sorted(by_label):
            if by_label[label] and len(chosen) < count:
                chosen.append(by_label[label].pop())
    rng.shuffle(chosen)
    return chosen
