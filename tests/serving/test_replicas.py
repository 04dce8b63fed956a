"""Two servers behind one engine: who gets a request, what happens when one dies in the midst, and how it comes back."""

from __future__ import annotations

import time

import pytest

from conftest import make_causal
from engine_place import ask, service_of
from hatrack.api.meters import Meters
from hatrack.core.errors import AdapterMismatch, Busy, EngineError
from hatrack.serving.request import Failed, Finished
from vllm_server import KEY, VllmStandIn

NAMES = ("a", "b", "c")


@pytest.fixture
def pair(tiny_causal):
    """Two stand-ins of the same base."""
    servers = [VllmStandIn(tiny_causal), VllmStandIn(tiny_causal)]
    yield servers
    for server in servers:
        server.close()


@pytest.fixture
def serve(three, pair, monkeypatch):
    monkeypatch.setenv("VLLM_API_KEY", KEY)
    running = []

    def start(urls=None, **changes):
        first, *more = urls or [server.url for server in pair]
        vllm = {"url": first, "replicas": more, "timeout": 10, "retry_seconds": 0.1}
        service = service_of(three, {"engine": "vllm", "vllm": vllm}, **changes)
        running.append(service)
        return service

    yield start
    for service in running:
        service.stop(drain=False)


def asked(server):
    return [body for path, body in server.requests if path == "/v1/completions" and body.get("stream")]


def until(met, seconds=20):
    end = time.monotonic() + seconds
    while not met():
        assert time.monotonic() < end, "it did not come to pass"
        time.sleep(0.02)


def up(service):
    return list(service.engine.residence().servers.values())


def test_requests_are_shared_out_and_each_server_holds_each_adapter(serve, pair):
    service = serve()
    heard = [ask(service, NAMES[i % 2], [50, 51 + i], max_tokens=30) for i in range(12)]
    for answer in heard:
        assert isinstance(answer.wait()[1], Finished)
    assert [len(asked(server)) for server in pair] == pytest.approx([6, 6], abs=3)
    assert sorted(pair[0].loaded) == sorted(pair[1].loaded)
    assert sorted(name[0] for name in pair[0].loaded) == ["a", "b"]


@pytest.mark.parametrize("name", ["base", "a"])
def test_an_answer_that_breaks_off_is_gone_on_with_by_the_other_server(serve, pair, name):
    service = serve()
    whole, end = ask(service, name, [50, 51, 52], max_tokens=20).text()
    pair[0].breaks_off_after = pair[1].breaks_off_after = 7  # each of them, so it changes hands several times
    again, end_again = ask(service, name, [50, 51, 52], max_tokens=20).text()
    assert (again, end_again.completion_tokens, end_again.reason) == (whole, end.completion_tokens, end.reason)
    assert up(service) == [True, True], "a server that fails at one answer and is well is not put out"


def test_an_answer_bound_by_a_schema_is_made_anew_and_told_once(serve, pair):
    service = serve()
    schema = {"type": "object"}
    whole, _ = ask(service, "a", [50, 51], max_tokens=12, schema=schema).text()
    until(lambda: not service.engine.running())  # the end is told before the place is free; the next one must get the first server
    pair[0].breaks_off_after = 5
    again, _ = ask(service, "a", [50, 51], max_tokens=12, schema=schema).text()
    assert again == whole
    assert [body["prompt"] for server in pair for body in asked(server)] == [[50, 51]] * 3


def test_an_answer_that_comes_out_otherwise_the_second_time_is_not_glued_together(serve, pair):
    service = serve()
    real = pair[1].logprobs
    pair[0].breaks_off_after = 3
    pair[1].logprobs = lambda ids, model: -real(ids, model)
    _, end = ask(service, "base", [50, 51], max_tokens=12, schema={"type": "object"}).wait()
    assert isinstance(end, Failed)
    assert "made another one" in str(end.error)


def test_no_accepted_request_is_lost_when_a_server_dies_and_it_comes_back_with_its_adapters(serve, pair, tiny_causal):
    service = serve(rows=8, queue=100)
    wanted = {i: ask(service, NAMES[i % 2], [50, 51 + i], max_tokens=25).text()[0] for i in range(30)}
    heard = {i: ask(service, NAMES[i % 2], [50, 51 + i], max_tokens=25) for i in range(30)}
    until(lambda: len(asked(pair[0])) > 20)
    pair[0].die()
    assert {i: answer.text()[0] for i, answer in heard.items()} == wanted
    assert up(service) == [False, True]
    ask(service, "c", [50, 51]).text()  # comes, and is in one of two places, while the other server is away
    back = pair[0] = VllmStandIn(tiny_causal, port=pair[0].port)
    until(lambda: all(up(service)))
    assert sorted(back.loaded) == sorted(pair[1].loaded)
    crowd = [ask(service, "c", [50, 51 + i], max_tokens=20) for i in range(8)]
    assert all(isinstance(answer.wait()[1], Finished) for answer in crowd)
    assert asked(back)


def test_F19_a_server_that_comes_back_with_another_base_stays_out(serve, pair, tmp_path):
    service = serve()
    ask(service, "a", [50, 51]).text()
    pair[0].die()
    ask(service, "a", [50, 51]).text()
    other = pair[0] = VllmStandIn(make_causal(tmp_path / "other", seed=5), port=pair[0].port)
    until(lambda: len(other.requests) > 10)
    assert up(service) == [False, True]
    assert not asked(other)
    ask(service, "a", [50, 51]).text()


def test_F19_a_server_with_another_base_is_found_out_with_the_first_adapter(serve, pair, tmp_path):
    other = VllmStandIn(make_causal(tmp_path / "other", seed=5))
    service = serve([pair[0].url, other.url])
    _, end = ask(service, "a", [50, 51]).wait()
    assert isinstance(end, Failed)
    assert isinstance(end.error, AdapterMismatch)
    other.close()


def test_one_server_that_is_away_does_not_hold_up_the_start_and_none_is_an_error(serve, pair):
    service = serve([pair[0].url, "http://127.0.0.1:9"])
    assert up(service) == [True, False]
    ask(service, "b", [50, 51]).text()
    with pytest.raises(EngineError, match="does not answer"):
        serve(["http://127.0.0.1:9", "http://127.0.0.1:9"])


def test_who_answers_stands_in_the_metrics(serve, pair):
    text = Meters().text(serve([pair[0].url, "http://127.0.0.1:9"])).decode()
    assert f'hatrack_engine_server_up{{server="{pair[0].url}"}} 1.0' in text
    assert 'hatrack_engine_server_up{server="http://127.0.0.1:9"} 0.0' in text


def test_when_all_are_gone_the_answer_says_so_and_they_are_taken_in_again(serve, pair, tiny_causal):
    service = serve()
    ask(service, "a", [50, 51]).text()
    for server in pair:
        server.die()
    _, end = ask(service, "a", [50, 51]).wait()
    assert isinstance(end, Failed)
    assert isinstance(end.error, EngineError)
    pair[1] = VllmStandIn(tiny_causal, port=pair[1].port)
    until(lambda: up(service) == [False, True])
    ask(service, "a", [50, 51]).text()


def test_a_busy_server_is_passed_over_and_two_busy_ones_are_said(serve, pair):
    service = serve()
    full = (429, {"Retry-After": "7"}, {"error": {"message": "full", "code": 429}})
    pair[0].fault = full
    assert isinstance(ask(service, "base", [50, 51]).wait()[1], Finished)
    pair[0].fault = pair[1].fault = full
    _, end = ask(service, "base", [50, 51]).wait()
    assert isinstance(end.error, Busy)
    assert up(service) == [True, True]
