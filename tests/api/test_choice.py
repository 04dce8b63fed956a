"""The model ``auto``: routing chooses, says why, and refuses as a name would; what was answered once is given again."""

from __future__ import annotations

import pytest
import yaml

from http_server import running
from served_adapters import plant, project_of

ASK = {"messages": [{"role": "user", "content": "the red apple"}], "max_tokens": 6, "temperature": 0}


@pytest.fixture(scope="module")
def root(tmp_path_factory, tiny_causal):
    root = project_of(tmp_path_factory.mktemp("chosen"), tiny_causal)
    for seed, name in enumerate(("french", "legal")):
        plant(root, tiny_causal, name, seed)
    config = yaml.safe_load((root / "hatrack.yaml").read_text())
    config["adapters"] = {"french": {"data": "data.jsonl", "task": "instruct", "route": {"country": "FR"}}}
    config["routing"] = {
        "order": ["explicit", "rules", "country"],
        "rules": [{"when": {"desk": "contracts"}, "use": "legal"}],
        "fallback": "base",
    }
    config["serve"] = {"cache": {"enabled": True}}
    (root / "hatrack.yaml").write_text(yaml.safe_dump(config))
    return root


@pytest.fixture(scope="module")
def server(root):
    with running(root) as server:
        yield server


def ask(server, *, key="", headers=None, path="/v1/chat/completions", **changes):
    with server.client(key) as client:
        return client.post(path, json={**ASK, "model": "auto", **changes}, headers=headers or {})


@pytest.mark.parametrize(
    ("headers", "adapter", "rule"),
    [
        ({"X-Hatrack-Country": "fr"}, "french", "country"),
        ({"X-Hatrack-Desk": "contracts", "X-Hatrack-Country": "FR"}, "legal", "rule 1"),
        ({}, "base", "fallback"),
    ],
)
def test_auto_goes_where_the_request_belongs_and_says_why(server, headers, adapter, rule):
    answer = ask(server, headers=headers)
    assert answer.status_code == 200, answer.text
    assert (answer.headers["x-hatrack-adapter"], answer.headers["x-hatrack-route"]) == (adapter, rule)
    assert answer.headers["x-hatrack-route-reason"]
    named = ask(server, model=adapter)
    assert named.json()["choices"] == answer.json()["choices"]
    assert "x-hatrack-route" not in named.headers


@pytest.mark.parametrize("path", ["/v1/completions", "/v1/responses"])
def test_the_other_shapes_choose_too(server, path):
    shape = {"prompt": "the red apple"} if path.endswith("completions") else {"input": "the red apple"}
    with server.client() as client:
        answer = client.post(path, json={"model": "auto", **shape}, headers={"X-Hatrack-Country": "FR"})
    assert answer.status_code == 200, answer.text
    assert answer.headers["x-hatrack-adapter"] == "french"


def test_texts_find_their_adapter_too(server):
    with server.client() as client:
        sent = {"input": ["the red apple", "a river"]}
        answer = client.post("/v1/embeddings", json={"model": "auto", **sent}, headers={"X-Hatrack-Country": "FR"})
        named = client.post("/v1/embeddings", json={"model": "french", **sent})
        refused = client.post("/v1/classify", json={"model": "auto", **sent})
    assert (answer.headers["x-hatrack-adapter"], answer.headers["x-hatrack-route"]) == ("french", "country")
    assert answer.json() == named.json()
    assert "x-hatrack-route" not in named.headers
    assert refused.status_code == 400, "the fallback is the base, which knows no labels"


def test_a_stream_carries_the_same_headers(server):
    with (
        server.client() as client,
        client.stream(
            "POST", "/v1/chat/completions", json={**ASK, "model": "auto", "stream": True}, headers={"X-Hatrack-Country": "FR"}
        ) as answer,
    ):
        assert answer.headers["x-hatrack-route"] == "country"
        assert answer.headers["x-hatrack-cache"] in ("hit", "miss")
        assert b"[DONE]" in answer.read()


def test_what_was_answered_once_is_given_again_and_marked(server):
    changes = {"model": "legal", "messages": [{"role": "user", "content": "the blue river"}]}
    first, second = ask(server, **changes), ask(server, **changes)
    assert (first.headers["x-hatrack-cache"], second.headers["x-hatrack-cache"]) == ("miss", "hit")
    assert first.json()["choices"] == second.json()["choices"]
    assert ask(server, **{**changes, "model": "french"}).headers["x-hatrack-cache"] == "miss"
    assert ask(server, **{**changes, "temperature": 1.0}).headers["x-hatrack-cache"] == "off"


def test_where_routing_leads_to_what_the_key_may_not_use_it_is_refused(root, server, tmp_path):
    with running(root, service=server.service, keys=tmp_path / "keys.json") as guarded:
        key, _ = guarded.keys.make("clerk", scopes=("use:legal",))
        refused = ask(guarded, key=key, headers={"X-Hatrack-Country": "FR"})
        assert refused.status_code == 403
        assert refused.json()["error"]["code"] == "model_not_allowed"
        assert ask(guarded, key=key, headers={"X-Hatrack-Desk": "contracts"}).status_code == 200


def test_auto_is_among_the_models(server):
    with server.client() as client:
        assert "auto" in [model["id"] for model in client.get("/v1/models").json()["data"]]
