"""Hosted models behind the server, beside the base of this machine: answers, streams, refusals, and what they cost."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from openai import APIStatusError, OpenAI

from hatrack.core.project import Project
from hatrack.models.backends.ledger import Ledger
from hosted_models_project import hosted_models_project, providers
from hosted_project import colour_in
from http_server import running
from provider_server import KEY, Fault


@pytest.fixture(scope="module")
def providers_here():
    with providers() as servers:
        yield servers


@pytest.fixture(scope="module")
def root(tmp_path_factory, tiny_causal, providers_here):
    from hatrack.cli.main import main

    made = hosted_models_project(
        tmp_path_factory.mktemp("hosted"), tiny_causal, providers_here,
        adapters={"poor": {"task": "instruct", "hosted": "gpt", "budget": {"day": 0.5}}}, entries={"misty": {"timeout": 1, "retries": 0}},
        routing={"fallback": "helper"},
    )  # fmt: skip
    with pytest.raises(SystemExit) as ended:
        main(["train", "--project", str(made)])
    assert not ended.value.code
    return made


@pytest.fixture(scope="module")
def served(root, providers_here):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOME_KEY", KEY)
        patch.setattr("hatrack.models.backends.metered.FIRST_WAIT", 0.01)
        with running(root) as server:
            yield server


@pytest.fixture
def servers(providers_here):
    for server in providers_here.values():
        server.say, server.faults, server.pause = colour_in, [], 0.0
        server.asked.clear()
        server.given_up.clear()
    return providers_here


@pytest.fixture
def http(served, servers):
    with served.client() as client:
        yield client


def body(model, text="the red apple", **options):
    return {"model": model, "messages": [{"role": "user", "content": text}], "max_tokens": 8, **options}


def refused(http, status, path="/v1/chat/completions", **asked):
    response = http.post(path, json=asked)
    assert response.status_code == status, response.text
    return response


def cost_of(http, adapter):
    lines = [line for line in http.get("/metrics").text.splitlines() if line.startswith("hatrack_cost_total") and f'"{adapter}"' in line]
    return sum(float(line.split()[-1]) for line in lines)


def test_hosted_and_local_answer_side_by_side(http, servers, root):
    before = cost_of(http, "helper")
    hosted, local = (http.post("/v1/chat/completions", json=body(name, "a red thing")) for name in ("helper", "base"))
    assert (hosted.status_code, local.status_code) == (200, 200)
    told = hosted.json()
    assert told["choices"][0]["message"]["content"] == "red"
    assert (told["model"], told["choices"][0]["finish_reason"]) == ("helper@1.0.0", "stop")
    assert told["usage"]["prompt_tokens"] == 5, "tokens are the provider's"
    assert servers["claude"].asked[0].body["system"] == "Be short."
    assert hosted.headers["X-Hatrack-Adapter"] == "helper"
    assert cost_of(http, "helper") == pytest.approx(before + 0.15)
    assert 'adapter="misty"' in http.get("/metrics").text, "versions nobody asked yet stand there too (F30)"


def test_an_official_client_streams_from_it(served, servers):
    servers["misty"].say = lambda model, messages: "one two three"
    client = OpenAI(base_url=f"{served.url}/v1", api_key="none")
    stream = client.chat.completions.create(
        model="misty", messages=[{"role": "user", "content": "x"}], stream=True, stream_options={"include_usage": True}
    )
    chunks = list(stream)
    pieces = [chunk.choices[0].delta.content for chunk in chunks if chunk.choices and chunk.choices[0].delta.content]
    assert pieces == ["one", " two", " three"]
    assert chunks[-1].usage.completion_tokens == 3
    assert client.responses.create(model="helper", input="the green leaf").output_text == "green"


def test_options_go_there_and_those_that_cannot_are_refused_by_name(http, servers):
    http.post("/v1/chat/completions", json=body("misty", temperature=0.7, top_p=0.9, seed=4, stop=["END"]))
    asked = servers["misty"].asked[0].body
    assert {name: asked[name] for name in ("temperature", "top_p", "random_seed", "stop", "max_tokens")} == {
        "temperature": 0.7, "top_p": 0.9, "random_seed": 4, "stop": ["END"], "max_tokens": 8,
    }  # fmt: skip
    servers["misty"].asked.clear()
    assert "logprobs" in refused(http, 400, **body("misty", logprobs=True)).json()["error"]["message"]
    assert "response_format" in refused(http, 400, **body("misty", response_format={"type": "json_object"})).json()["error"]["message"]
    assert "knows no seed" in refused(http, 400, **body("helper", seed=4)).json()["error"]["message"]
    assert "conversations only" in refused(http, 400, "/v1/completions", model="helper", prompt="x").json()["error"]["message"]
    assert "gives no vectors" in refused(http, 400, "/v1/embeddings", model="helper", input="x").json()["error"]["message"]
    assert not servers["misty"].asked


def test_a_known_answer_is_not_paid_again(http, servers):
    first = http.post("/v1/chat/completions", json=body("helper", "the blue sea, twice"))
    time.sleep(1)  # the end is told first, then it is kept
    second = http.post("/v1/chat/completions", json=body("helper", "the blue sea, twice"))
    assert (first.headers["X-Hatrack-Cache"], second.headers["X-Hatrack-Cache"]) == ("miss", "hit")
    assert len(servers["claude"].asked) == 1
    before = cost_of(http, "helper")
    http.post("/v1/chat/completions", json=body("helper", "the blue sea, twice"))
    assert cost_of(http, "helper") == before


def test_it_labels_without_probabilities(http, servers):
    found = http.post("/v1/classify", json={"model": "colours", "input": ["a red thing", "no colour at all"]}).json()["data"]
    assert [(one["label"], one["probability"], one["labels"]) for one in found] == [("red", None, []), (None, None, [])]


def test_a_budget_is_a_402_that_tells_no_figures_and_sends_nothing(http, servers, served):
    error = refused(http, 402, **body("poor", "x" * 100)).json()["error"]
    assert error["code"] == "budget_exceeded"
    assert "0.5" not in error["message"]
    assert not servers["gpt"].asked
    with pytest.raises(APIStatusError, match="budget"):
        OpenAI(base_url=f"{served.url}/v1", api_key="n").chat.completions.create(**body("poor", "x" * 100))


def test_faults_of_the_provider_are_told_as_such_without_its_words(http, servers):
    servers["misty"].faults = [Fault("", status=429, headers={"Retry-After": "9"}, message="org-123 is out of tokens")]
    response = refused(http, 503, **body("misty", "one"))
    assert response.headers["Retry-After"] == "9"
    assert "org-123" not in response.text
    servers["misty"].faults = [Fault("", status=400, message="org-123 may not")]
    assert refused(http, 502, **body("misty", "two")).json()["error"]["code"] == "provider_refused"
    servers["misty"].faults = [Fault("", slow=3)]
    assert refused(http, 503, **body("misty", "three")).json()["error"]["code"] == "provider_unreachable"
    servers["claude"].faults = [Fault("", status=529), Fault("", status=429, headers={"Retry-After": "0"})]
    assert http.post("/v1/chat/completions", json=body("helper", "the red one, patiently")).status_code == 200


def test_a_client_that_goes_ends_the_request_there(http, servers):
    servers["claude"].say, servers["claude"].pause = lambda model, messages: "word " * 400, 0.01
    with http.stream("POST", "/v1/chat/completions", json=body("helper", "go on", stream=True) | {"max_tokens": 500}) as response:
        next(response.iter_lines())
    assert servers["claude"].given_up.wait(10)


def test_many_wait_at_once_and_hold_nobody_up(http, servers, served):
    servers["gpt"].faults = [Fault("", slow=1)] * 8
    begin = time.monotonic()
    with ThreadPoolExecutor(9) as pool:
        waiting = [pool.submit(served.client().post, "/v1/chat/completions", json=body("colours", f"red {i}")) for i in range(8)]
        local = http.post("/v1/chat/completions", json=body("base", "quick") | {"max_tokens": 1})
        assert local.status_code == 200
        assert all(one.result().json()["choices"][0]["message"]["content"] == "red" for one in waiting)
    assert time.monotonic() - begin < 7, "they were asked one after the other"


def test_models_says_who_answers_and_routing_takes_it(http, servers):
    about = http.get("/v1/models/helper").json()["hatrack"]
    assert (about["base"], about["hosted"]) == ("anthropic/claude-1", servers["claude"].base_url.split("/")[2])
    routed = http.post("/v1/chat/completions", json=body("auto", "the green tree"))
    assert routed.json()["model"] == "helper@1.0.0"


def test_the_book_knows_all_of_it_and_no_key_is_anywhere(root):
    lines = {line.adapter: line for line in Ledger(Project(root).spending).spent("total")}
    assert lines["helper"].requests >= 4
    for file in root.rglob("*"):
        if file.is_file():
            assert KEY.encode() not in file.read_bytes(), file
