"""The option ``knowledge`` of chat completions: sources and checked citations beside the answer, streamed too."""

from __future__ import annotations

import json

import pytest
import yaml

from http_server import running
from knowledge_places import FACTS, add, write_rows
from served_adapters import plant, project_of

ASK = {"messages": [{"role": "user", "content": "a lost card is replaced for how many euros"}], "max_tokens": 6}


@pytest.fixture(scope="module")
def root(tmp_path_factory, tiny_causal):
    root = project_of(tmp_path_factory.mktemp("knowledge"), tiny_causal)
    for seed, name in enumerate(("plain", "reader", "rewriter")):
        plant(root, tiny_causal, name, seed)
    config = yaml.safe_load((root / "hatrack.yaml").read_text())
    config["adapters"]["reader"] = {"data": "data.jsonl", "task": "instruct", "rag": {"tokens": 120, "filter": {"country": "FR"}}}
    config["adapters"]["rewriter"] = {"data": "data.jsonl", "task": "instruct", "rag": {"rewrite": True, "enabled": False}}
    config["knowledge"] = {"embedder": "hashing:256", "language": "en", "collections": {"main": {}, "acme": {"tenants": ["acme"]}}}
    config["serve"] = {"cache": {"enabled": True}}
    (root / "hatrack.yaml").write_text(yaml.safe_dump(config))
    add(root, write_rows(root / "facts.jsonl", FACTS))
    return root


@pytest.fixture(scope="module")
def server(root):
    with running(root, context=512) as server:
        yield server


def ask(server, **changes):
    with server.client() as client:
        return client.post("/v1/chat/completions", json={**ASK, "model": "plain", **changes})


def test_an_answer_tells_its_sources(server):
    body = ask(server, knowledge={"k": 2}).json()
    assert "choices" in body, body
    told = body["choices"][0]["knowledge"]
    assert told["found"] is True
    assert told["sources"][0]["source"] == "facts.jsonl#card"
    assert told["sources"][0]["number"] == 1
    assert set(told) == {"found", "sources", "citations", "missing", "unsupported"}
    plain = ask(server).json()
    assert "knowledge" not in plain["choices"][0]
    assert body["usage"]["prompt_tokens"] > plain["usage"]["prompt_tokens"] + 20


def test_an_adapter_reads_by_itself_and_can_be_told_not_to(server):
    found = ask(server, model="reader").json()["choices"][0]["knowledge"]["sources"]
    assert found[0]["source"] == "facts.jsonl#card"
    assert {one["metadata"]["country"] for one in found} == {"FR"}
    assert "knowledge" not in ask(server, model="reader", knowledge=False).json()["choices"][0]


def test_a_question_is_rewritten_told_and_counted(server):
    told = ask(server, model="rewriter", knowledge={"k": 1}).json()["choices"][0]["knowledge"]
    assert (told["query"] is None) != (told["not_rewritten"] is None)
    outcome = told["not_rewritten"] or "used"
    if told["query"] is None:  # a model of chance writes no query: then the question itself was looked for
        assert told["sources"][0]["source"] == "facts.jsonl#card"
    with server.client() as client:
        page = client.get("/metrics").text
    assert f'hatrack_rewrites_total{{adapter="rewriter",outcome="{outcome}"}} 1.0' in page
    assert 'adapter="plain",outcome' not in "".join(line for line in page.splitlines() if line.startswith("hatrack_rewrites"))


def test_where_nothing_is_near_enough_no_model_is_asked(server):
    body = ask(server, knowledge={"threshold": 0.99}).json()
    assert body["choices"][0]["message"]["content"] == "That is not in the sources."
    assert body["choices"][0]["knowledge"]["found"] is False
    assert body["usage"]["completion_tokens"] == 0


def test_a_stream_tells_them_with_its_end(server):
    with (
        server.client() as client,
        client.stream("POST", "/v1/chat/completions", json={**ASK, "model": "plain", "knowledge": True, "stream": True}) as sent,
    ):
        frames = [json.loads(line[6:]) for line in sent.iter_lines() if line.startswith("data: {")]
    told = [frame["choices"][0]["knowledge"] for frame in frames if "knowledge" in frame["choices"][0]]
    assert len(told) == 1
    assert told[0]["sources"][0]["source"] == "facts.jsonl#card"
    assert frames[-1]["choices"][0]["finish_reason"]


def test_F29_other_sources_are_another_answer_for_the_cache(server):
    first = ask(server, knowledge=True)
    assert ask(server, knowledge=True).headers["x-hatrack-cache"] == "hit"
    assert ask(server, knowledge={"filter": {"country": "US"}, "threshold": -1}).headers["x-hatrack-cache"] == "miss"
    assert first.json()["choices"][0]["knowledge"]["sources"]


def test_responses_tell_them_too(server):
    with server.client() as client:
        body = {"model": "reader", "input": ASK["messages"][0]["content"], "max_output_tokens": 4}
        told = client.post("/v1/responses", json=body).json()
        assert told["knowledge"]["sources"][0]["source"] == "facts.jsonl#card"
        none = client.post("/v1/responses", json={**body, "knowledge": {"threshold": 0.99}}).json()
    assert none["output"][0]["content"][0]["text"] == "That is not in the sources."


@pytest.mark.parametrize(
    ("knowledge", "says"),
    [
        ({"collections": ["acme"]}, "no collection called 'acme'"),
        ({"filter": {"contry": "FR"}}, "did you mean country?"),
        ({"filter": {"country": {"like": "F"}}}, "this is no filter"),
        ({"as_of": "soon"}, "no date"),
        ({"kk": 3}, "knowledge"),
        ("yes", "knowledge"),
    ],
)
def test_what_cannot_be_is_refused_by_name(server, knowledge, says):
    answer = ask(server, knowledge=knowledge)
    assert answer.status_code == 400, answer.text
    assert says in answer.json()["error"]["message"]
    assert answer.json()["error"]["param"].startswith("knowledge")
