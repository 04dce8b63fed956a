"""What every backend promises; a new one is tested here by being in the table."""

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

every_backend = pytest.mark.parametrize("name", BACKENDS.names())
TURNS = (Message("system", "Be short."), Message("user", "Which colour is the apple?"))
CHAT = "/chat/completions"


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("SOME_KEY", KEY)
    monkeypatch.setattr("openai._base_client.BaseClient._calculate_retry_timeout", lambda *args: 0.01)
    with provider_server() as running:
        running.jobs["j"] = {"fine_tuned_model": "ft:m"}
        yield running


def backend(name, server, model="ft:m"):
    weights = HostedWeights(
        provider=name, base_url=server.base_url, api_key_env="SOME_KEY", base_model="m", model=model, job="j",
        hyperparameters={}, trained_tokens=None, data_digest="d",
    )  # fmt: skip
    return BACKENDS.get(name)(weights)


@every_backend
def test_messages_and_sampling_go_there_and_one_answer_comes_back(name, server):
    server.say = lambda model, messages: f"{model} heard {len(messages)}"
    answer = backend(name, server).complete(TURNS, Sampling(max_new_tokens=7, temperature=0.5, seed=3))
    assert (answer.text, answer.prompt_tokens, answer.answer_tokens, answer.stopped) == ("ft:m heard 2", 7, 3, True)
    [asked] = server.asked
    assert asked.body["messages"] == [turn.as_dict() for turn in TURNS]
    assert {key: asked.body[key] for key in ("model", "max_tokens", "temperature", "seed")} == {
        "model": "ft:m", "max_tokens": 7, "temperature": 0.5, "seed": 3,
    }  # fmt: skip


@every_backend
def test_a_refused_answer_is_an_empty_text(name, server):
    server.say = lambda model, messages: None
    assert backend(name, server).complete(TURNS, Sampling()).text == ""


@every_backend
def test_a_model_that_knows_only_the_newer_name_of_the_limit_is_asked_by_it(name, server):
    server.faults = [Fault(CHAT, status=400, param="max_tokens", message="Use 'max_completion_tokens' instead")]
    one = backend(name, server)
    assert one.complete(TURNS, Sampling(max_new_tokens=5)).text == "red"
    assert one.complete(TURNS, Sampling(max_new_tokens=6)).text == "red"
    assert [(asked.body.get("max_tokens"), asked.body.get("max_completion_tokens")) for asked in server.asked] == [
        (5, None), (None, 5), (None, 6),
    ]  # fmt: skip


@every_backend
def test_faults_that_pass_are_waited_out(name, server):
    server.faults = [
        Fault(CHAT, status=429, headers={"Retry-After": "0"}), Fault(CHAT, status=500), Fault(CHAT, drop=True), Fault(CHAT, slow=0.1),
    ]  # fmt: skip
    assert backend(name, server).complete(TURNS, Sampling()).text == "red"


@every_backend
def test_a_provider_that_does_not_come_back_is_unreachable(name, server):
    server.faults = [Fault(CHAT, status=500)] * 20
    with pytest.raises(ProviderUnreachable, match="failed at the chat completion"):
        backend(name, server).complete(TURNS, Sampling())


@every_backend
def test_an_unknown_model_is_refused(name, server):
    with pytest.raises(ProviderError, match="refuses the chat completion") as caught:
        backend(name, server, model="ft:gone").complete(TURNS, Sampling())
    assert "ft:gone does not exist" in caught.value.given


@every_backend
@pytest.mark.parametrize("spoken", ["<html>welcome</html>", {"choices": []}, {"choices": None}, {"object": "chat.completion"}])
def test_an_answer_of_another_protocol_is_named_so(name, server, spoken):
    server.answer = lambda *asked: (200, spoken)
    with pytest.raises(ProviderError, match="does not know"):
        backend(name, server).complete(TURNS, Sampling())


@every_backend
def test_there_must_be_a_key(name, server, monkeypatch):
    monkeypatch.delenv("SOME_KEY")
    with pytest.raises(ConfigError) as caught:
        backend(name, server)
    assert "SOME_KEY is not set" in caught.value.given


@every_backend
def test_several_threads_may_ask(name, server):
    server.say = lambda model, messages: messages[0]["content"]
    one = backend(name, server)
    texts = [f"text {i}" for i in range(20)]
    answers = asked_together(lambda text: one.complete([Message("user", text)], Sampling()).text, texts)
    assert answers == texts


def test_the_first_error_ends_what_was_not_yet_asked():
    asked, lock = [], threading.Lock()

    def ask(row):
        with lock:
            asked.append(row)
        raise ValueError(row)

    with pytest.raises(ValueError, match="0"):
        asked_together(ask, list(range(1000)))
    assert len(asked) < 1000
