"""Questions rewritten as search queries: what is usable, what is looked for otherwise, and that both are counted."""

from __future__ import annotations

import pytest

from hatrack.answering.grounding import Grounder, KnowledgeWish
from hatrack.answering.rewrite import rewritten
from hatrack.core.chat import Message
from hatrack.core.config_file import read_config
from hatrack.core.errors import RequestError
from hatrack.core.project import Project
from knowledge_places import FACTS, add, knowledge_project, write_rows

TALK = [Message("user", "What is the rate of VAT?"), Message("assistant", "20 percent."), Message("user", "And in 2012?")]


def said(text):
    return lambda messages: text


def test_the_model_sees_the_conversation_and_is_told_what_to_write():
    seen = []

    def ask(messages):
        seen.extend(messages)
        return "rate of VAT in 2012"

    assert rewritten(TALK, ask).query == "rate of VAT in 2012"
    assert [message.role for message in seen] == ["system", "user"]
    assert "And in 2012?" in seen[1].content
    assert "rate of VAT?" in seen[1].content


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ('Query: "rate of VAT in 2012"', "rate of VAT in 2012"),
        ("\n\n  Search query: VAT 2012\nThe rate was 19.6 percent.", "VAT 2012"),
        ("**VAT rate 2012**", "VAT rate 2012"),
    ],
)
def test_what_stands_around_a_query_is_taken_off(text, query):
    assert rewritten(TALK, said(text)).query == query


@pytest.mark.parametrize(
    ("text", "reason"),
    [("", "empty"), (" \n ", "empty"), ('"..."', "empty"), ("rate " * 60, "long"), ("the museum opens on monday", "unrelated")],
)
def test_what_is_no_query_is_not_used_and_the_reason_is_told(text, reason):
    one = rewritten(TALK, said(text))
    assert (one.query, one.reason) == ("", reason)


def test_a_language_without_blanks_shares_letters():
    turns = [Message("user", "増値税の税率は何ですか")]
    assert rewritten(turns, said("増値税 2012")).query == "増値税 2012"
    assert rewritten(turns, said("博物館")).reason == "unrelated"


def test_an_adapter_that_cannot_be_asked_now_is_no_end_of_the_search():
    def ask(messages):
        raise RequestError("the prompt is too long")

    assert rewritten(TALK, ask).reason == "refused"


@pytest.fixture
def grounder(tmp_path):
    root = knowledge_project(tmp_path / "project")
    add(root, write_rows(root / "facts.jsonl", FACTS))
    config = read_config(root)
    rag = {"rewrite": True, "threshold": -1.0, "k": 1}
    adapters = {"first": config.adapters["first"].model_copy(update={"rag": _rag(rag)})}
    made = Grounder(Project(root), config.model_copy(update={"adapters": adapters}))
    made.counted = []
    made.count = lambda adapter, outcome: made.counted.append((adapter, outcome))
    yield made
    made.close()


def _rag(keys):
    from hatrack.core.config_knowledge import RagSettings

    return RagSettings(**keys)


def grounded(grounder, messages, ask, adapter="first"):
    return grounder.ground(messages, adapter, KnowledgeWish(), tenant=None, count=len, room=10_000, ask=ask)


def test_what_the_adapter_wrote_is_looked_for_and_told(grounder):
    turns = [Message("user", "How much does it cost?")]
    assert grounded(grounder, turns, None).passages[0].source != "facts.jsonl#card"
    one = grounded(grounder, turns, said("how much does a lost card cost, replaced for euros"))
    assert one.passages[0].source == "facts.jsonl#card"
    assert one.told("Five euros.")["query"] == "how much does a lost card cost, replaced for euros"
    assert "How much does it cost?" in one.messages[-1].content
    assert grounder.counted == [("first", "used")]


def test_an_unusable_query_falls_back_to_the_question_and_is_counted(grounder):
    turns = [Message("user", "A lost card is replaced?")]
    one = grounded(grounder, turns, said(""))
    assert one.passages[0].source == "facts.jsonl#card"
    assert (one.told("x")["query"], one.told("x")["not_rewritten"]) == (None, "empty")
    assert grounder.counted == [("first", "empty")]


def test_nobody_is_asked_where_the_config_does_not_say_so(grounder):
    one = grounded(grounder, [Message("user", "A lost card")], lambda messages: pytest.fail("asked"), adapter="other")
    assert one.rewritten is None
    assert "query" not in one.told("x")
    assert grounder.counted == []
