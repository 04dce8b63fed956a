"""LangChain's parts as a chain uses them: on a real project, with a real base."""

from __future__ import annotations

import pytest

from knowledge_places import FACTS, add, knowledge_project, write_rows
from projects import copy_of, trained_by_text

lc = pytest.importorskip("hatrack.langchain", reason="langchain-core is not installed")


@pytest.fixture(scope="module")
def facts(tmp_path_factory):
    root = knowledge_project(tmp_path_factory.mktemp("facts"))
    add(root, write_rows(root / "facts.jsonl", FACTS))
    return root


@pytest.fixture(scope="module")
def root(tiny_causal, tmp_path_factory):
    return copy_of(trained_by_text(tiny_causal), tmp_path_factory.mktemp("chat"))


def test_a_retriever_finds_under_its_filter_and_a_call_can_only_narrow_it(facts):
    retriever = lc.HatrackRetriever(project=str(facts), filter={"country": "FR"})
    found = retriever.invoke("rate of VAT")
    assert found[0].metadata["source"] in ("facts.jsonl#vat", "facts.jsonl#vat-old")
    assert {one.metadata["country"] for one in found} == {"FR"}
    assert retriever.invoke("the desk opens", filter={"country": "IN"}) == []
    assert [one.metadata["source"] for one in retriever.invoke("rate of VAT", as_of="2012-01-01", k=1)] == ["facts.jsonl#vat-old"]


def test_embeddings_are_those_of_the_project(facts):
    own, named = lc.HatrackEmbeddings(project=facts), lc.HatrackEmbeddings("hashing:256")
    assert own.embed_query("a card") == named.embed_query("a card") == own.embed_documents(["a card"])[0]


def test_a_chat_model_answers_streams_and_counts(root):
    chat = lc.HatrackChat(project=str(root), adapter="colours", max_tokens=4)
    whole = chat.invoke([("system", "Name the colour."), ("human", "the red apple")])
    assert whole.content
    assert whole.usage_metadata["output_tokens"] >= 1
    assert whole.response_metadata["model_name"].startswith("colours@")
    chunks = list(chat.stream([("system", "Name the colour."), ("human", "the red apple")]))
    assert "".join(str(chunk.content) for chunk in chunks).strip() == whole.content
    assert chunks[-1].usage_metadata or chunks[-2].usage_metadata == whole.usage_metadata
    stopped = chat.invoke("the red apple", stop=[whole.content[1:3]]).content
    assert whole.content[1:3] not in stopped


def test_what_an_adapter_cannot_answer_is_refused(root):
    from langchain_core.messages import ToolMessage

    from hatrack.core.errors import AdapterNotFound, RequestError

    chat = lc.HatrackChat(project=str(root), adapter="colours")
    with pytest.raises(RequestError, match="type tool"):
        chat.invoke([ToolMessage("x", tool_call_id="1")])
    with pytest.raises(AdapterNotFound, match="no adapter called"):
        list(lc.HatrackChat(project=str(root), adapter="colors").stream("x"))


def test_the_tool_asks_whoever_the_question_belongs_to(root):
    config = root / "hatrack.yaml"
    config.write_text(config.read_text().replace("system: Name the colour.", "system: Name the colour.\n    route: {country: FR}"))
    tool = lc.RouterTool(project=str(root), max_tokens=2)
    assert tool.invoke({"question": "the red apple", "country": "FR"}).startswith("colours: ")
    assert tool.invoke({"question": "the red apple"}).startswith("base: ")
