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


def test_a_cache_repeats_a_version_and_not_the_next_one(root, tmp_path, monkeypatch):
    from langchain_core.globals import set_llm_cache

    copy = copy_of(root, tmp_path)
    cache = lc.HatrackCache(copy)
    asked = []
    generate = lc.chat.Assistant.generate
    monkeypatch.setattr(lc.chat.Assistant, "generate", lambda self, *args, **kw: asked.append(args) or generate(self, *args, **kw))
    set_llm_cache(cache)
    try:
        chat = lc.HatrackChat(project=str(copy), adapter="colours", max_tokens=4)
        first, again = chat.invoke("the red apple"), chat.invoke("the red apple")
        assert (again.content, again.response_metadata["digest"]) == (first.content, first.response_metadata["digest"])
        assert len(asked) == 1
        chat.invoke("the red apple", max_tokens=3)
        chat.invoke("the red apple", model="shy")
        assert len(asked) == 3
        monkeypatch.setattr(lc.chat.Assistant, "digest", lambda self, adapter: "another version")  # as after a promotion
        chat.invoke("the red apple")
        assert len(asked) == 4, "the answer of a version was given for another one (F29)"
    finally:
        set_llm_cache(None)
        cache.close()


def test_a_cache_is_apart_by_tenant_and_from_the_servers(root, tmp_path):
    from langchain_core.messages import AIMessage
    from langchain_core.outputs import ChatGeneration, Generation

    from hatrack.answering.cache import AnswerCache
    from hatrack.answering.kept import KeptAnswer
    from hatrack.core.project import Project

    copy = copy_of(root, tmp_path)
    servers = AnswerCache(Project(copy).answers, ttl=100, max_bytes=1e6)
    servers.put("k", KeptAnswer("of the server", (), "stop", 1, 1), tenant="", digest="d")
    servers.flush()
    one, other = lc.HatrackCache(copy, tenant="one"), lc.HatrackCache(copy, tenant="other")
    message = AIMessage("hello", usage_metadata={"input_tokens": 1, "output_tokens": 2, "total_tokens": 3})
    kept = [ChatGeneration(message=message, generation_info={"a": 1}), Generation(text="plain")]
    one.update("p", "m", kept)
    assert one.lookup("p", "m") == kept
    assert lc.HatrackCache(copy, tenant="one").lookup("p", "m") == kept, "another process of the tenant finds it"
    assert other.lookup("p", "m") is None
    other.clear()
    assert one.lookup("p", "m") == kept
    one.clear()
    assert one.lookup("p", "m") is None
    assert servers.get("k").answer.text == "of the server"
