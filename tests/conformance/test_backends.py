"""What every backend promises; a new one is tested here by being in the table, with its dialect in provider_dialects."""

from __future__ import annotations

import threading

import pytest

from hatrack.core.chat import Message
from hatrack.core.errors import ConfigError, ProviderError, ProviderUnreachable
from hatrack.core.lineage import HostedWeights
from hatrack.models.backends.base import BACKENDS
from hatrack.models.backends.hosted import asked_together
from hatrack.models.causal import Sampling
from provider_server import KEY, Fault, provider_server

TURNS = (Message("system", "Be short."), Message("user", "Which colour is the apple?"))


@pytest.fixture(params=BACKENDS.names())
def server(request, monkeypatch):
    monkeypatch.setenv("SOME_KEY", KEY)
    with provider_server(request.param) as running:
        running.models, running.name = {"m"}, request.param
        yield running


def backend(server, model="m", timeout=20.0, **weights):
    asked = HostedWeights(
        provider=server.name, base_url=server.base_url, api_key_env="SOME_KEY", base_model=model, model=model, job="",
        hyperparameters={}, trained_tokens=None, data_digest="", **weights,
    )  # fmt: skip
    return BACKENDS.get(server.name)(asked, timeout)


def chat(server):
    return server.dialect.path


def test_messages_and_sampling_go_there_and_one_answer_comes_back(server):
    server.say = lambda model, messages: f"{model} heard {len(messages)}"
    one = backend(server)
    sampling = Sampling(max_new_tokens=7, temperature=0.5, seed=3 if one.seeds else None)
    answer = one.complete(TURNS, sampling, stop=("END",))
    assert (answer.text, answer.prompt_tokens, answer.answer_tokens, answer.stopped, answer.cost) == ("m heard 2", 7, 3, True, None)
    [asked] = server.asked
    assert server.dialect.turns(asked.body) == [turn.as_dict() for turn in TURNS]
    assert {key: asked.body[key] for key in ("model", "max_tokens", "temperature")} == {"model": "m", "max_tokens": 7, "temperature": 0.5}
    assert asked.body[server.dialect.stop] == ["END"]
    if one.seeds:
        assert asked.body[server.dialect.seed] == 3


def test_a_stream_is_told_as_it_comes_and_counted_at_its_end(server):
    server.say = lambda model, messages: "one two three"
    pieces = []
    answer = backend(server).complete(TURNS, Sampling(), on_text=pieces.append)
    assert pieces == ["one", " two", " three"]
    assert (answer.text, answer.prompt_tokens, answer.answer_tokens, answer.stopped) == ("one two three", 7, 3, True)


@pytest.mark.parametrize("on_text", [None, lambda text: None])
def test_an_answer_that_was_cut_says_so(server, on_text):
    server.say = lambda model, messages: "one two three"
    answer = backend(server).complete(TURNS, Sampling(max_new_tokens=2), on_text=on_text)
    assert (answer.text, answer.stopped) == ("one two", False)


def test_who_hears_a_stream_can_end_it(server):
    server.say, server.pause = lambda model, messages: "word " * 500, 0.005

    def enough(text):
        raise InterruptedError(text)

    with pytest.raises(InterruptedError, match="word"):
        backend(server).complete(TURNS, Sampling(max_new_tokens=1000), on_text=enough)
    assert server.given_up.wait(10), "the provider goes on, and bills, for nobody"


@pytest.mark.parametrize("on_text", [None, lambda text: None])
def test_a_refused_answer_is_an_empty_text(server, on_text):
    server.say = lambda model, messages: None
    assert backend(server).complete(TURNS, Sampling(), on_text=on_text).text == ""


def test_models_that_take_no_sampling_are_sent_none(server):
    backend(server, sampling=False).complete(TURNS, Sampling())
    assert not server.asked[0].body.keys() & {"temperature", "top_p"}


@pytest.mark.parametrize(
    ("fault", "wait"),
    [
        (Fault("", status=429, headers={"Retry-After": "7"}), 7.0),
        (Fault("", status=503, headers={"Retry-After": "0.5"}), 0.5),
        (Fault("", status=529), None),
        (Fault("", status=408), None),
    ],
)
def test_what_passes_says_when_to_come_back_and_is_not_billed(server, fault, wait):
    server.faults = [fault]
    with pytest.raises(ProviderUnreachable) as caught:
        backend(server).complete(TURNS, Sampling())
    assert (caught.value.retry_after, caught.value.billed) == (wait, False)
    assert len(server.asked) == 1, "a backend asks once; asking again is metered's work"


@pytest.mark.parametrize("fault", [Fault("", drop=True), Fault("", slow=2.0)])
def test_silence_may_have_been_billed(server, fault):
    server.faults = [fault]
    with pytest.raises(ProviderUnreachable, match="does not answer") as caught:
        backend(server, timeout=0.3).complete(TURNS, Sampling())
    assert caught.value.billed


def test_nobody_there_bills_nothing(server):
    one = backend(server)
    server.stop()
    with pytest.raises(ProviderUnreachable, match="does not answer") as caught:
        one.complete(TURNS, Sampling())
    assert not caught.value.billed


def test_a_stream_that_breaks_is_a_fault_and_may_have_been_billed(server):
    server.say = lambda model, messages: "one two three"
    server.faults = [Fault(chat(server), events=4)]
    with pytest.raises(ProviderUnreachable, match="failed at") as caught:
        backend(server).complete(TURNS, Sampling(), on_text=lambda text: None)
    assert caught.value.billed


def test_an_unknown_model_is_refused(server):
    with pytest.raises(ProviderError, match="refuses the") as caught:
        backend(server, model="gone").complete(TURNS, Sampling())
    assert "gone does not exist" in caught.value.given
    assert not caught.value.billed


def test_a_key_that_is_not_taken_is_not_repeated(server, monkeypatch):
    monkeypatch.setenv("SOME_KEY", "sk-wrong-98765")
    with pytest.raises(ProviderError, match="does not accept the key") as caught:
        backend(server).complete(TURNS, Sampling())
    assert "***" in caught.value.given
    assert "98765" not in str(caught.value)


@pytest.mark.parametrize(
    "spoken", ["<html>welcome</html>", {"choices": [], "content": 3}, {"choices": None}, {"object": "chat.completion"}]
)
def test_an_answer_of_another_protocol_is_named_so(server, spoken):
    server.answer = lambda *asked: (200, spoken)
    with pytest.raises(ProviderError, match="does not know"):
        backend(server).complete(TURNS, Sampling())


def test_a_stream_that_just_ends_is_no_answer(server):
    whole = server.answer
    server.answer = lambda *asked: (200, whole(*asked)[1][:2])
    with pytest.raises(ProviderError, match="stream ended"):
        backend(server).complete(TURNS, Sampling(), on_text=lambda text: None)


def test_there_must_be_a_key(server, monkeypatch):
    monkeypatch.delenv("SOME_KEY")
    with pytest.raises(ConfigError) as caught:
        backend(server)
    assert "SOME_KEY is not set" in caught.value.given


def test_several_threads_may_ask(server):
    server.say = lambda model, messages: messages[0]["content"]
    one = backend(server)
    texts = [f"text {i}" for i in range(20)]
    answers = asked_together(lambda text: one.complete([Message("user", text)], Sampling()).text, texts)
    assert answers == texts


def test_a_model_that_knows_only_the_newer_name_of_the_limit_is_asked_by_it(monkeypatch):
    monkeypatch.setenv("SOME_KEY", KEY)
    with provider_server() as server:
        server.models, server.name = {"m"}, "openai"
        server.faults = [Fault(chat(server), status=400, param="max_tokens", message="Use 'max_completion_tokens' instead")]
        one = backend(server)
        assert one.complete(TURNS, Sampling(max_new_tokens=5)).text == "red"
        assert one.complete(TURNS, Sampling(max_new_tokens=6)).text == "red"
        assert [(asked.body.get("max_tokens"), asked.body.get("max_completion_tokens")) for asked in server.asked] == [
            (5, None), (None, 5), (None, 6),
        ]  # fmt: skip


def test_the_first_error_ends_what_was_not_yet_asked():
    asked, lock = [], threading.Lock()

    def ask(row):
        with lock:
            asked.append(row)
        raise ValueError(row)

    with pytest.raises(ValueError, match=r"^\d$"):
        asked_together(ask, list(range(1000)))
    assert len(asked) <= 4, "no more than were under way"
