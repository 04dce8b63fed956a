"""The example of several countries: who answers, and that an answer rests on its own country's documents of the day asked."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml

from hatrack.answering.decision import Wanted
from hatrack.answering.grounding import Grounder, KnowledgeWish
from hatrack.answering.route import Router
from hatrack.core.chat import Message
from hatrack.core.config_file import read_config
from hatrack.core.project import Project
from hatrack.registry.store import Registry
from knowledge_places import add
from made_versions import added

EXAMPLE = Path(__file__).resolve().parents[1] / "examples" / "multi-country"
QUESTION = "Quel est le taux normal de la TVA (VAT, GST) ?"


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """The example with an embedder that needs no model, its documents added, its adapters registered."""
    root = Path(shutil.copytree(EXAMPLE, tmp_path_factory.mktemp("countries") / "project"))
    config = yaml.safe_load((root / "hatrack.yaml").read_text())
    config["knowledge"]["embedder"] = "hashing:512"
    (root / "hatrack.yaml").write_text(yaml.safe_dump(config))
    for name, collection in config["knowledge"]["collections"].items():
        assert add(root, root / collection["sources"], name).left_out == []
    registry = Registry(Project(root))
    for name in config["adapters"]:
        added(registry, root / "made" / name, weights=name, name=name)
    return root


def grounded(root, adapter, **wish):
    grounder = Grounder(Project(root), read_config(root))
    asked = KnowledgeWish(threshold=-1, k=20, **wish)
    try:
        return grounder.ground([Message("user", QUESTION)], adapter, asked, tenant="", count=lambda text: len(text.split()), room=2000)
    finally:
        grounder.close()


@pytest.mark.parametrize(
    ("attributes", "adapter", "rule"),
    [
        ({"country": "FR"}, "fr-tax", "country"),
        ({"country": "IN"}, "in-law", "country"),
        ({"country": "US"}, "us-contracts", "country"),
        ({"country": "US", "compliance": "GDPR"}, "fr-tax", "rule 1"),
        ({}, "base", "fallback"),
    ],
)
def test_country_and_compliance_decide_who_answers(root, attributes, adapter, rule):
    project = Project(root)
    decision = Router.of(read_config(root), project, Registry(project)).route(QUESTION, Wanted(attributes=attributes))
    assert (decision.adapter, decision.rule) == (adapter, rule)


@pytest.mark.parametrize(("day", "rate", "other"), [("2012-06-30", "19,6 %", "20 %"), ("2024-06-30", "20 %", "19,6 %")])
def test_a_french_answer_cites_only_french_sources_valid_at_the_date_asked(root, day, rate, other):
    found = grounded(root, "fr-tax", as_of=day)
    assert {one.metadata["country"] for one in found.passages} == {"FR"}
    assert all(one.metadata["valid_from"] <= int(day.replace("-", "")) <= one.metadata["valid_to"] for one in found.passages)
    number = next(i for i, text in enumerate(found.texts, 1) if rate in text)
    right = found.told(f"Le taux normal de la TVA en France est de {rate} [{number}].")
    assert right["citations"][0]["supported_by"] == [number]
    wrong = found.told(f"Le taux normal de la TVA en France est de {other} [{number}].")
    assert wrong["unsupported"]


@pytest.mark.parametrize("wish", [{"collections": ("fr",)}, {"where": {"country": "FR"}}])
def test_no_request_gets_another_countrys_documents(root, wish):
    assert grounded(root, "in-law", **wish).passages == ()
    assert {one.metadata["country"] for one in grounded(root, "in-law").passages} == {"IN"}


def test_each_country_knows_nothing_in_its_own_words(root):
    assert grounded(root, "fr-tax", where={"valid_to": {"lt": "1990-01-01"}}).answer == "Cela ne figure pas dans les sources."
