"""What is particular to a server elsewhere: names, keys, places, faults. The server is a stand-in that speaks vLLM's protocol."""

from __future__ import annotations

import shutil

import pytest
from safetensors.torch import load_file, save_file

from conftest import make_causal
from engine_place import ask, service_of
from hatrack.core.errors import AdapterBroken, AdapterError, AdapterMismatch, Busy, EngineError, RequestError
from hatrack.serving.request import Failed, Finished
from vllm_server import KEY, VllmStandIn


@pytest.fixture
def server(tiny_causal):
    server = VllmStandIn(tiny_causal)
    yield server
    server.close()


@pytest.fixture
def serve(three, server, monkeypatch):
    monkeypatch.setenv("VLLM_API_KEY", KEY)
    running = []

    def start(vllm=(), **changes):
        service = service_of(three, {"engine": "vllm", "vllm": {"url": server.url, "timeout": 10, **dict(vllm)}}, **changes)
        running.append(service)
        return service

    yield start
    for service in running:
        service.stop(drain=False)


def failure(heard):
    _, end = heard.wait()
    assert isinstance(end, Failed), end
    return end.error


def test_F24_an_adapter_is_pushed_under_a_name_that_holds_its_digest(serve, server):
    service = serve()
    ask(service, "a", [50, 51]).text()
    digest = service.resolve("a").digest
    assert list(server.loaded) == [f"a-1.0.0-{digest[:16]}"]
    ask(service, "a", [50, 51]).text()
    assert sum(path == "/v1/load_lora_adapter" for path, _ in server.requests) == 1


def test_the_longest_unused_adapter_makes_room_and_nothing_stays_behind(serve, server):
    service = serve(slots=2)
    for name in ("a", "b", "a", "c"):
        ask(service, name, [50, 51]).text()
    assert sorted(name[0] for name in server.loaded) == ["a", "c"]
    assert server.most == 2
    service.stop()
    assert server.loaded == {}


def test_the_server_takes_nothing_from_its_own_defaults(serve, server):
    service = serve()
    ask(service, "base", [50, 51], temperature=0.7, top_p=0.9, top_k=5, seed=3).wait()
    ask(service, "base", [50, 51]).wait()
    first, second = (body for path, body in server.requests if path == "/v1/completions")
    assert (first["temperature"], first["top_p"], first["top_k"], first["seed"]) == (0.7, 0.9, 5, 3)
    assert (second["temperature"], second["top_p"], second["top_k"]) == (0.0, 1.0, -1)
    for body in (first, second):
        assert (body["repetition_penalty"], body["min_p"]) == (1.0, 0.0)
        assert set(service.renderer.stop_ids) == set(body["stop_token_ids"])


def test_tenants_do_not_share_the_servers_prefix_cache(serve, server):
    service = serve()
    for tenant in ("x", "y", "x"):
        ask(service, "base", [50, 51], tenant).wait()
    salts = [body["cache_salt"] for path, body in server.requests if path == "/v1/completions"]
    assert salts[0] == salts[2] != salts[1]


def test_a_schema_is_enforced_by_the_server(serve, server):
    schema = {"type": "object", "properties": {"n": {"enum": [1, 2]}}}
    service = serve()
    ask(service, "base", [50, 51], schema=schema).wait()
    assert server.requests[-1][1]["structured_outputs"] == {"json": schema}


def test_a_server_that_was_started_anew_gets_its_adapters_again(serve, server):
    service = serve()
    before, _ = ask(service, "a", [50, 51]).text()
    for name in list(server.loaded):
        server.unload(name)
    assert ask(service, "a", [50, 51]).text()[0] == before
    assert server.loaded


@pytest.mark.parametrize(
    ("status", "headers", "kind", "words"),
    [
        (429, {"Retry-After": "7"}, Busy, "7 s"),
        (503, {}, Busy, "busy"),
        (400, {}, RequestError, "no such thing"),
        (500, {}, EngineError, "no such thing"),
    ],
)
def test_errors_of_the_server_are_ours(serve, server, status, headers, kind, words):
    service = serve()
    server.fault = (status, headers, {"error": {"message": "no such thing", "code": status}})
    error = failure(ask(service, "base", [50]))
    assert type(error) is kind or (kind is EngineError and isinstance(error, EngineError))
    assert words in str(error)
    if status == 429:
        assert error.retry_after == 7
    assert isinstance(ask(service, "base", [50]).wait()[1], Finished)


def test_an_answer_that_breaks_off_is_not_taken_for_a_whole_one(serve, server):
    service = serve()
    server.breaks_off_after = 1
    error = failure(ask(service, "base", [50, 51]))
    assert isinstance(error, EngineError)
    server.breaks_off_after = None
    assert isinstance(ask(service, "base", [50]).wait()[1], Finished)


def test_a_server_that_is_away_is_said_at_the_start(three, monkeypatch):
    with pytest.raises(EngineError, match="does not answer") as refused:
        service_of(three, {"engine": "vllm", "vllm": {"url": "http://127.0.0.1:9"}})
    assert "serve.vllm" in refused.value.fix


def test_a_wrong_key_is_said_at_the_start(three, server, monkeypatch):
    monkeypatch.setenv("OTHER", "wrong")
    with pytest.raises(EngineError, match="another key"):
        service_of(three, {"engine": "vllm", "vllm": {"url": server.url, "key_env": "OTHER"}})


def test_a_base_of_another_name_is_said_at_the_start(serve):
    with pytest.raises(EngineError, match="under this name") as refused:
        serve({"model": "bass"})
    assert refused.value.allowed == "base"


def test_F18_an_adapter_that_does_nothing_there_is_refused_to_all_who_wait_for_it(serve, server):
    service = serve()
    real = server.load

    def idle(name, path):  # loads, answers 200, does nothing
        weights = load_file(f"{path}/adapter_model.safetensors")
        other = shutil.copytree(path, f"{path}-idle", dirs_exist_ok=True)
        save_file({key: 0 * value if "lora_B" in key else value for key, value in weights.items()}, f"{other}/adapter_model.safetensors")
        real(name, other)

    server.load = idle
    for answer in [ask(service, "b", [50, 51]) for _ in range(3)]:
        assert isinstance(failure(answer), AdapterBroken)
    server.load = real
    assert ask(service, "b", [50, 51]).text(), "the next one tries again"


def test_F19_a_server_that_holds_another_base_is_found_out(three, monkeypatch, tmp_path):
    monkeypatch.setenv("VLLM_API_KEY", KEY)
    other = VllmStandIn(make_causal(tmp_path / "other", seed=5))
    service = service_of(three, {"engine": "vllm", "vllm": {"url": other.url}})
    assert isinstance(failure(ask(service, "a", [50, 51])), AdapterMismatch)
    service.stop()
    other.close()


def test_an_adapter_the_server_does_not_take_is_refused_with_its_words(serve, server):
    service = serve()

    def full(name, path):
        raise ValueError("LoRA rank 4 is greater than max_lora_rank 2")

    server.load = full
    error = failure(ask(service, "a", [50, 51]))
    assert isinstance(error, AdapterError)
    assert "max_lora_rank" in str(error)


def test_F26_a_flood_for_one_adapter_does_not_hold_up_another(serve, server):
    service = serve(rows=4, slots=1, queue=100, patience=0.3)
    flood = [ask(service, "a", [50, 51], max_tokens=8) for _ in range(60)]
    _, end = ask(service, "b", [50, 51], max_tokens=1).wait()
    assert isinstance(end, Finished)
    assert sum(not answer.events.empty() for answer in flood) < 50
    for answer in flood:
        answer.request.cancel()


def test_what_does_not_fit_into_the_queue_is_refused_with_a_time(serve):
    service = serve(queue=4, rows=1)
    heard = []

    def crowd():
        for _ in range(50):
            heard.append(ask(service, "base", [50, 51], max_tokens=100))

    with pytest.raises(Busy) as refused:
        crowd()
    assert refused.value.retry_after >= 1
    for answer in heard:
        answer.request.cancel()


def test_stopping_finishes_what_was_taken(serve):
    service = serve(rows=2)
    heard = [ask(service, "a", [50, 51 + i], max_tokens=5) for i in range(6)]
    service.stop(drain=True)
    assert all(answer.wait()[1].reason in ("stop", "length") for answer in heard)
    with pytest.raises(RequestError, match="shutting down"):
        ask(service, "base", [50])
