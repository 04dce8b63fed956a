"""An answer from documents: who may read what, what is near enough, what an adapter asks for by itself."""

from __future__ import annotations

import pytest
import yaml

from hatrack.answering.grounding import Grounder, KnowledgeWish
from hatrack.core.chat import Message
from hatrack.core.config_file import read_config
from hatrack.core.errors import KnowledgeError, RequestError
from hatrack.core.project import Project
from knowledge_places import FACTS, add, knowledge_project, write_rows


@pytest.fixture
def root(tmp_path):
    root = knowledge_project(tmp_path, collections={"main": {}, "acme": {"tenants": ["acme"]}})
    add(root, write_rows(root / "facts.jsonl", FACTS))
    add(root, write_rows(root / "acme.jsonl", [{"id": "secret", "text": "The acme card is replaced for nine euros."}]), "acme")
    return root


def with_rag(root, **rag):
    config = yaml.safe_load((root / "hatrack.yaml").read_text())
    config["adapters"]["first"]["rag"] = rag
    (root / "hatrack.yaml").write_text(yaml.safe_dump(config))


def grounder(root):
    return Grounder(Project(root), read_config(root))


ANY = KnowledgeWish()


def ground(root, question, wish=ANY, *, tenant="", room=2000, adapter="first", system=""):
    one = grounder(root)
    turns = [question] if isinstance(question, Message) else question
    turns = [Message("user", turns)] if isinstance(turns, str) else turns
    try:
        return one.ground(turns, adapter, wish, tenant=tenant, count=lambda text: len(text.split()), room=room, system=system)
    finally:
        one.close()


def names(grounded):
    return [one.source.partition("#")[2] for one in grounded.passages]


def test_the_question_gets_its_sources_and_the_answer_is_checked(root):
    grounded = ground(root, "a lost card is replaced for how many euros", system="You are legal.")
    assert names(grounded)[0] == "card"
    assert grounded.messages[0].content.startswith("You are legal.")
    assert "| (Lost cards) A lost card" in grounded.messages[-1].content
    told = grounded.told("A lost card is replaced for five euros [1]. It is blue [9].")
    assert told["found"]
    assert told["sources"][0]["source"] == "facts.jsonl#card"
    assert told["sources"][0]["metadata"] == {"country": "FR", "year": 2021}
    assert told["citations"][0] == {"sentence": "A lost card is replaced for five euros.", "cited": [1], "supported_by": [1]}
    assert told["missing"] == [9]
    assert told["unsupported"] == ["It is blue."]


def test_where_nothing_is_near_enough_nothing_is_made_up(root):
    grounded = ground(root, "quantum gravity neutrino", KnowledgeWish(threshold=0.4))
    assert grounded.answer == "That is not in the sources."
    assert grounded.told(grounded.answer)["found"] is False
    with_rag(root, threshold=1.0, not_found="Je ne sais pas.")
    assert ground(root, "lost card").answer == "Je ne sais pas."


def test_a_collection_of_another_tenant_is_not_there(root):
    wish = KnowledgeWish(threshold=-1, k=20)
    assert "secret" not in names(ground(root, "acme card", wish))
    assert "secret" not in names(ground(root, "acme card", wish, tenant="other"))
    assert "secret" in names(ground(root, "acme card", wish, tenant="acme"))
    with pytest.raises(KnowledgeError, match="no collection called 'acme'") as caught:
        ground(root, "acme card", KnowledgeWish(("acme",)), tenant="other")
    assert caught.value.allowed == "main"


def test_the_filter_of_an_adapter_cannot_be_widened_by_a_request(root):
    with_rag(root, filter={"country": "FR"}, threshold=-1)
    assert set(names(ground(root, "the desk opens at nine"))) == {"card", "vat", "vat-old"}
    assert names(ground(root, "the desk opens at nine", KnowledgeWish(where={"country": "IN"}))) == []
    assert set(names(ground(root, "rate of VAT", KnowledgeWish(as_of="2012-01-01")))) == {"card", "vat-old"}


def test_an_adapter_answers_from_knowledge_by_itself_or_when_asked(root):
    assert grounder(root).wanted("first", None) is None
    assert grounder(root).wanted("base", True) == KnowledgeWish()
    with_rag(root, k=2)
    assert grounder(root).wanted("first", None) == KnowledgeWish()
    assert grounder(root).wanted("first", False) is None
    with_rag(root, enabled=False)
    assert grounder(root).wanted("first", None) is None
    assert grounder(root).wanted("first", True) == KnowledgeWish()


def test_the_budget_is_kept_and_no_room_is_said(root):
    with_rag(root, tokens=64, threshold=-1, k=5)
    few = ground(root, "lost card")
    assert 1 <= len(few.passages) < 5
    with pytest.raises(RequestError, match="no room"):
        ground(root, "lost card", room=5)


def test_a_short_question_is_read_with_the_ones_before_it(root):
    turns = [Message("user", "Tell me of a lost card."), Message("assistant", "Yes?"), Message("user", "And is it replaced?")]
    assert names(ground(root, turns))[0] == "card"


def test_what_was_retrieved_has_a_version(root):
    first, other = ground(root, "lost card"), ground(root, "rate of VAT")
    assert first.version == ground(root, "lost card").version != other.version
