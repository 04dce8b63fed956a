"""What a client can do wrong, or on purpose: a 4xx that names it, never a fault of the server."""

from __future__ import annotations

import json

import pytest

DEEP = "[" * 5000 + "]" * 5000


def assert_refused(response, status, *words, param=...):
    assert response.status_code == status, response.text
    error = response.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    for word in words:
        assert word in error["message"]
    if param is not ...:
        assert error["param"] == param
    assert response.headers["x-request-id"]
    return error


def nested(levels):
    schema = {"type": "integer"}
    for _ in range(levels):
        schema = {"type": "array", "items": schema}
    return {"type": "json_schema", "json_schema": {"name": "deep", "schema": schema}}


CASES = {
    "no model": ({"model": None}, "model", "model"),
    "no messages": ({"messages": []}, "messages", "messages"),
    "a role that is none": ({"messages": [{"role": "wizard", "content": "x"}]}, "role", "messages.0.role"),
    "a picture": ({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]}, "text", ...),
    "a call of a tool": ({"messages": [{"role": "assistant", "content": "x", "tool_calls": [{"id": "1"}]}]}, "tool_calls", "messages"),
    "tools": ({"tools": [{"type": "function"}]}, "leave tools out", "tools"),
    "sound": ({"modalities": ["text", "audio"]}, "leave modalities out", "modalities"),
    "a penalty": ({"frequency_penalty": 0.5}, "allowed: to leave it out or 0", "frequency_penalty"),
    "an option that is none": ({"temprature": 0.5}, "did you mean temperature?", "temprature"),
    "10,000 stop texts": ({"stop": ["x"] * 10_000}, "10000 texts", "stop"),
    "an empty stop text": ({"stop": ["x", ""]}, "of 0 to 1 characters", "stop"),
    "negative tokens": ({"max_tokens": -1}, "greater than or equal to 1", "max_tokens"),
    "too many tokens": ({"max_tokens": 10**6}, "allowed: 1 to 256 together", None),
    "more tokens than numbers": ({"max_tokens": 10**30}, "max_tokens", "max_tokens"),
    "temperature in quotes": ({"temperature": "0.5"}, "temperature", "temperature"),
    "a temperature below 0": ({"temperature": -0.1}, "temperature", "temperature"),
    "a temperature that is none": ({"temperature": float("nan")}, "not JSON compliant", ...),
    "an endless temperature": ({"temperature": float("inf")}, "not JSON compliant", ...),
    "top_p above 1": ({"top_p": 1.5}, "top_p", "top_p"),
    "a seed beyond 64 bits": ({"seed": 2**64}, "seed", "seed"),
    "answers without end": ({"n": 100_000}, "n: Input", "n"),
    "no answer": ({"n": 0}, "n: Input", "n"),
    "alternatives without probabilities": ({"top_logprobs": 3}, "needs logprobs", "top_logprobs"),
    "too many alternatives": ({"logprobs": True, "top_logprobs": 1000}, "top_logprobs", "top_logprobs"),
    "no schema": ({"response_format": {"type": "json_schema"}}, "no schema", "response_format.json_schema"),
    "a schema that is none": (
        {"response_format": {"type": "json_schema", "json_schema": {"schema": {"type": "nonsense"}}}}, "cannot be enforced", ...,
    ),
    "a schema without end": ({"response_format": nested(300)}, "64 levels", "response_format.json_schema"),
    "half a character": ({"messages": [{"role": "user", "content": "\ud800"}]}, "half a character", ...),
    "half a character as an option": ({"\ud800": 1}, "half a character", ...),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_a_wrong_body_is_400_and_names_its_parameter(name, http, ask):
    change, word, param = CASES[name]
    content = json.dumps({**ask(), **change})
    assert_refused(http.post("/v1/chat/completions", content=content, headers={"Content-Type": "application/json"}), 400, word, param=param)


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"null", b"[]", b'"x"', b"\xff\xfe{", b'{"model": "\xc3"}', DEEP.encode(), b'{"model": ' + DEEP.encode() + b"}"],
    ids=["empty", "half", "null", "list", "text", "not UTF-8", "broken UTF-8", "deep", "deep inside"],
)
def test_what_is_no_json_object_is_400(http, content):
    assert_refused(http.post("/v1/chat/completions", content=content, headers={"Content-Type": "application/json"}), 400)


def test_a_form_is_not_taken_for_json(http, ask):
    # a page in a browser may send forms and plain text anywhere, JSON only where it is let
    for kind in ("text/plain", "application/x-www-form-urlencoded", ""):
        got = http.post("/v1/chat/completions", content=json.dumps(ask()), headers={"Content-Type": kind})
        assert_refused(got, 400, "Content-Type: application/json")


def test_options_that_change_nothing_are_taken(http, ask):
    harmless = {
        "user": "u", "metadata": {"a": "b"}, "store": False, "service_tier": "auto", "tools": [], "tool_choice": "auto",
        "frequency_penalty": 0, "presence_penalty": 0.0, "logit_bias": {}, "parallel_tool_calls": True, "modalities": ["text"],
        "stop": None, "n": None, "seed": None, "response_format": {"type": "text"}, "logprobs": False,
    }  # fmt: skip
    plain = http.post("/v1/chat/completions", json=ask()).json()
    got = http.post("/v1/chat/completions", json=ask(**harmless))
    assert got.status_code == 200, got.text
    assert got.json()["choices"] == plain["choices"]


def test_temperatures_at_the_edge_are_answered(http, ask):
    greedy = http.post("/v1/chat/completions", json=ask()).json()["choices"]
    for options in ({"temperature": 1e-30}, {"temperature": 1.5, "top_p": 0}, {"temperature": 2, "top_p": 1e-30}):
        got = http.post("/v1/chat/completions", json=ask(**options))
        assert got.status_code == 200, got.text
        assert got.json()["choices"] == greedy


UNKNOWN = ["lgal", "legal@9.9.9", "A", "ghost", "a b", "a\n", "x" * 5000, "", "@", "a@b@c", "base@1"]
PATHS = [
    "../a",
    "/etc/passwd",
    "a/../../b",
    "..%2fa",
    "\\\\host\\share",
    "file:///etc",
    "a/",
    "./a",
    "~",
    "C:\\x",
    "a\x00",
    ".hatrack/blobs",
]


@pytest.mark.parametrize("name", [*UNKNOWN, *PATHS], ids=lambda name: repr(name[:20]))
def test_F23_F31_a_name_that_is_not_registered_is_404_and_nobody_answers_in_its_place(name, http, ask):
    assert assert_refused(http.post("/v1/chat/completions", json=ask(model=name)), 404, param="model")["code"] == "model_not_found"
    assert_refused(http.post("/v1/embeddings", json={"model": name, "input": "x"}), 404)
    assert_refused(http.post("/v1/completions", json={"model": name, "prompt": "x"}), 404)


def test_F31_a_path_in_a_route_is_no_path_on_disk(http):
    for path in ("/v1/models/..%2f..%2fhatrack.yaml", "/v1/models/%2e%2e/%2e%2e/etc/passwd", "/admin/adapters/..%2fa/load"):
        got = http.request("GET" if "models" in path else "POST", path)
        assert_refused(got, 404)
        assert "root:" not in got.text


def test_a_version_that_exists_is_answered_by_exactly_that_version(http, ask):
    got = http.post("/v1/chat/completions", json=ask(model="legal@1.0.0"))
    assert got.json()["model"] == "legal@1.0.0"


def test_embeddings_refuse_what_they_cannot_mean(http):
    for given in ([1, 2], [[1, 2]], [], "", ["x", ""], ["x"] * 3000):
        assert_refused(http.post("/v1/embeddings", json={"model": "a", "input": given}), 400, param="input")
    assert_refused(http.post("/v1/embeddings", json={"model": "a", "input": "x", "dimensions": 3}), 400, param="dimensions")
    assert_refused(http.post("/v1/classify", json={"model": "a", "input": "x"}), 400, "knows no labels")


def test_completions_refuse_what_they_cannot_mean(http):
    for given in ([], "", [[]], [10**6], [-1]):
        assert_refused(http.post("/v1/completions", json={"model": "a", "prompt": given}), 400)
    assert_refused(http.post("/v1/completions", json={"model": "a", "prompt": ["x"] * 40, "n": 2}), 400, "too many answers")
    assert_refused(http.post("/v1/completions", json={"model": "a", "prompt": "x", "echo": True}), 400, param="echo")


def test_responses_refuse_what_would_need_a_memory(http):
    assert_refused(http.post("/v1/responses", json={"model": "a", "input": "x", "previous_response_id": "resp_1"}), 400)
    assert_refused(http.post("/v1/responses", json={"model": "a", "input": []}), 400, param="input")
    assert_refused(http.post("/v1/responses", json={"model": "a", "input": [{"type": "function_call"}]}), 400)


def test_routes_and_methods_that_are_none(http):
    assert_refused(http.get("/v1/nothing"), 404, "no such route")
    assert_refused(http.get("/v1/chat/completions"), 405, "another method")
    assert_refused(http.get("/docs"), 404)


def test_a_wrong_request_id_is_replaced(http):
    assert http.get("/healthz", headers={"X-Request-Id": "a b\tc"}).headers["x-request-id"] != "a b\tc"
    assert http.get("/healthz", headers={"X-Request-Id": "x" * 500}).headers["x-request-id"] != "x" * 500
