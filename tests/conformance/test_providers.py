"""What every provider promises; a new one is tested here by being in the table."""

from __future__ import annotations

import pytest

from hatrack.core.errors import ConfigError, ProviderError, ProviderUnreachable
from hatrack.training.providers.base import PROVIDERS, JobRequest
from provider_server import KEY, Fault, provider_server

every_provider = pytest.mark.parametrize("name", PROVIDERS.names())
JOBS = "/v1/fine_tuning/jobs"


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("SOME_KEY", KEY)
    monkeypatch.setattr("openai._base_client.BaseClient._calculate_retry_timeout", lambda *args: 0.01)
    with provider_server() as running:
        yield running


@pytest.fixture
def rows(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text('{"messages": []}\n')
    return path


def connect(name, server):
    return PROVIDERS.get(name)(server.base_url, "SOME_KEY")


def request(file):
    return JobRequest("m", {"train": file}, "supervised", {}, 13, "legal")


@every_provider
def test_a_job_from_file_to_model(name, server, rows):
    provider = connect(name, server)
    file = provider.upload(rows)
    assert server.files[file] == rows.read_bytes()
    started = provider.start(request(file))
    assert not started.finished
    assert provider.find(file).id == started.id
    assert provider.find("another") is None
    seen = [provider.state(started.id) for _ in range(4)]
    assert [state.status for state in seen] == ["validating_files", "queued", "running", "succeeded"]
    assert [state.finished for state in seen] == [False, False, False, True]
    assert (seen[-1].model, seen[-1].trained_tokens, seen[-1].seconds) == ("ft:m:org:ftjob-1", 4321, 60.0)
    assert [message for _, message in provider.events(started.id)][-1] == "Step 1/10: training loss=1.25"
    assert list(provider.checkpoints(started.id)) == ["10", "20"]


@every_provider
def test_the_job_is_found_among_others(name, server, rows):
    provider = connect(name, server)
    jobs = {file: provider.start(request(file)).id for file in [provider.upload(rows) for _ in range(3)]}
    assert {file: provider.find(file).id for file in jobs} == jobs


@every_provider
@pytest.mark.parametrize("fault", [{"status": 500}, {"status": 503}, {"drop": True}])
def test_a_start_is_sent_once(name, server, rows, fault):
    provider = connect(name, server)
    file = provider.upload(rows)
    server.faults = [Fault("/jobs", **fault)]
    with pytest.raises(ProviderUnreachable):
        provider.start(request(file))
    assert server.count("POST", JOBS) == 1


@every_provider
def test_cancel(name, server, rows):
    provider = connect(name, server)
    started = provider.start(request(provider.upload(rows)))
    assert provider.cancel(started.id).finished


@every_provider
def test_no_checkpoints_and_no_events_are_no_fault(name, server, rows):
    provider = connect(name, server)
    started = provider.start(request(provider.upload(rows)))
    server.faults = [Fault("/checkpoints", status=404), Fault("/events", status=404)]
    assert provider.checkpoints(started.id) == {}
    assert provider.events(started.id) == []


@every_provider
@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ({"status": 403}, "does not accept the key"),
        ({"status": 400}, "refuses"),
        ({"status": 429, "headers": {"Retry-After": "900"}}, "no time"),
    ],
)
def test_refusals_are_told_apart(name, server, rows, fault, says):
    server.faults = [Fault("/files", message="the reason", **fault)]
    with pytest.raises(ProviderError, match=says) as caught:
        connect(name, server).upload(rows)
    assert "the reason" in caught.value.given


@every_provider
@pytest.mark.parametrize("spoken", ["<html>", {}, {"id": None}, {"id": 3}, []])
def test_an_answer_of_another_protocol_is_named_so(name, server, rows, spoken):
    server.answer = lambda *asked: (200, spoken)
    provider = connect(name, server)
    for call in (lambda: provider.upload(rows), lambda: provider.start(request("f")), lambda: provider.state("j")):
        with pytest.raises(ProviderError, match="does not know"):
            call()


@every_provider
def test_there_must_be_a_key(name, server, monkeypatch):
    monkeypatch.setenv("SOME_KEY", " ")
    with pytest.raises(ConfigError):
        connect(name, server)
