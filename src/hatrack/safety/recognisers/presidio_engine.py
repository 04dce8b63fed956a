"""Presidio's analyser over our recognisers and those of its own that ours do not cover; imported only with the extra `pii`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from presidio_analyzer import AnalyzerEngine, EntityRecognizer, RecognizerRegistry, RecognizerResult
from presidio_analyzer import predefined_recognizers as predefined
from presidio_analyzer.nlp_engine import NlpArtifacts, NoOpNlpEngine

from hatrack.safety.recognisers.base import Finding
from hatrack.safety.recognisers.scan import ACCEPTED

__all__ = ["Engine", "Finder"]

LANGUAGE = "en"  # Presidio wants one; none of these recognisers depends on it
# Identifiers that Presidio decides by form or checksum, without words near by: those need a model of the language.
THEIRS = {
    "US": (predefined.UsMbiRecognizer, predefined.UsNpiRecognizer, predefined.MedicalLicenseRecognizer),
    "GB": (predefined.UkDrivingLicenceRecognizer,),
    "IN": (predefined.InVehicleRegistrationRecognizer,),
    "DE": (predefined.DeSocialSecurityRecognizer,),
}


class Finder(Protocol):
    """Whatever finds personal data in a text."""

    types: frozenset[str]

    def find(self, text: str) -> list[Finding]:
        """Findings, in any order; they may overlap."""
        ...


class _Ours(EntityRecognizer):
    """A finder of ours as Presidio wants it. The country rides along in the result."""

    def __init__(self, finder: Finder) -> None:
        super().__init__(supported_entities=sorted(finder.types), name=type(finder).__name__, supported_language=LANGUAGE)
        self._finder = finder

    def load(self) -> None:
        """Nothing is left to load."""

    def analyze(self, text: str, entities: list[str], nlp_artifacts: NlpArtifacts | None = None) -> list[RecognizerResult]:
        return [
            RecognizerResult(f.type, f.start, f.end, f.score, recognition_metadata={"country": f.country})
            for f in self._finder.find(text)
            if f.type in entities
        ]


class Engine:
    """One analyser for the given finders and countries. It has no model of language, so nothing is fetched from anywhere."""

    def __init__(self, finders: Iterable[Finder], countries: Sequence[str]) -> None:
        ours = [_Ours(finder) for finder in finders]
        kinds = {kind: country for country in countries for kind in THEIRS.get(country, ())}
        theirs = [kind(supported_language=LANGUAGE) for kind in kinds]
        self._countries = {kind.__name__: country for kind, country in kinds.items()}
        registry = RecognizerRegistry(recognizers=[*ours, *theirs], supported_languages=[LANGUAGE])
        nlp = NoOpNlpEngine(models=[{"lang_code": LANGUAGE, "model_name": "none"}])
        self._analyser = AnalyzerEngine(registry=registry, nlp_engine=nlp, supported_languages=[LANGUAGE])
        self.types = frozenset(entity for recogniser in registry.recognizers for entity in recogniser.supported_entities)

    def find(self, text: str) -> list[Finding]:
        """Findings of score 0.5 and above; they may overlap."""
        results = self._analyser.analyze(text, language=LANGUAGE, score_threshold=ACCEPTED)
        return [Finding(r.entity_type, r.start, r.end, r.score, self._country(r)) for r in results]

    def _country(self, result: RecognizerResult) -> str | None:
        metadata = result.recognition_metadata or {}
        country: str | None = metadata.get("country")
        return country or self._countries.get(metadata.get(RecognizerResult.RECOGNIZER_NAME_KEY, ""))
