"""Clients that go, sleep, or send too much; and a server that ends while it answers."""

from __future__ import annotations

import json
import socket
import threading
import time

import httpx
import pytest

from hatrack.core.config_http import HttpSettings
from http_server import running

LONG = {"max_tokens": 230}


@pytest.fixture(scope="module")
def narrow(planted):
    """One answer at a time, and short limits."""
    limits = HttpSettings(log=False, body_mb=0.02, body_seconds=0.5, send_seconds=0.5)
    with running(planted, http=limits, rows=1) as server:
        yield server


def slowed(service, monkeypatch, seconds=0.01):
    """A step takes a while, as it does on a real model."""
    real = service.engine._step

    def step():
        time.sleep(seconds)
        real()

    monkeypatch.setattr(service.engine, "_step", step)


def raw(server, body, path="/v1/chat/completions", buffer=None):
    """A connection that has sent a request and reads nothing."""
    host, port = server.url.removeprefix("http://").split(":")
    connection = socket.socket()
    if buffer:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
    connection.connect((host, int(port)))
    content = json.dumps(body).encode()
    head = f"POST {path} HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
    connection.sendall(head.encode() + content)
    return connection


def busy(server, seconds=10):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if server.service.engine.running():
            return True
        time.sleep(0.005)
    return False


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
def test_a_client_that_goes_gives_its_place_back(narrow, ask, monkeypatch, stream):
    slowed(narrow.service, monkeypatch)
    connection = raw(narrow, ask(stream=stream, **LONG))
    assert busy(narrow)
    before = narrow.service.engine.statistics.steps
    connection.close()
    assert narrow.alone(), "the answer nobody waits for goes on"
    assert narrow.service.engine.statistics.steps - before < 150, "it went on to its end"


def test_a_client_that_goes_while_it_waits_leaves_the_queue(narrow, ask, monkeypatch):
    slowed(narrow.service, monkeypatch)
    first = raw(narrow, ask(stream=True, **LONG))
    assert busy(narrow)
    waiting = [raw(narrow, ask("b", stream=stream)) for stream in (True, False)]
    end = time.monotonic() + 5
    while sum(narrow.service.engine.waiting().values()) < 2 and time.monotonic() < end:
        time.sleep(0.01)
    for connection in waiting:
        connection.close()
    end = time.monotonic() + 5  # anew: on a busy machine the requests alone take seconds to arrive
    while narrow.service.engine.waiting() and time.monotonic() < end:
        time.sleep(0.01)
    assert not narrow.service.engine.waiting()
    assert narrow.service.engine.running(), "the others' answer goes on"
    first.close()
    assert narrow.alone()


def test_a_client_that_does_not_read_holds_nobody_up_and_is_given_up(narrow, ask):
    sleeper = raw(narrow, ask(stream=True, logprobs=True, top_logprobs=20, n=60, **LONG), buffer=1024)
    with narrow.client() as client:
        assert client.post("/v1/chat/completions", json=ask("b")).status_code == 200
    assert narrow.alone(20)
    time.sleep(1.0)
    sleeper.settimeout(5)
    got = b""
    try:
        while part := sleeper.recv(65536):
            got += part
    except ConnectionResetError:
        pass
    assert b"[DONE]" not in got
    sleeper.close()


def test_a_body_that_is_too_large_is_413_whether_it_says_so_or_not(narrow, ask):
    big = json.dumps(ask(text="x" * 30_000)).encode()
    with narrow.client() as client:
        said = client.post("/v1/chat/completions", content=big, headers={"Content-Type": "application/json"})
        parts = (big[i : i + 1000] for i in range(0, len(big), 1000))
        unsaid = client.post("/v1/chat/completions", content=parts, headers={"Content-Type": "application/json"})
    for got in (said, unsaid):
        assert got.status_code == 413
        assert got.json()["error"]["code"] == "body_too_large"


def test_a_body_that_does_not_arrive_is_408(narrow):
    host, port = narrow.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=5) as connection:
        connection.sendall(f"POST /v1/responses HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Length: 99\r\n\r\n{{".encode())
        assert b" 408 " in connection.recv(4096).split(b"\r\n")[0]


def test_a_failing_adapter_is_an_error_with_a_status_also_of_a_stream(narrow, ask, monkeypatch):
    from hatrack.core.errors import AdapterBroken

    def broken(manifest):
        raise AdapterBroken("its files are damaged", given="/secret/place", fix="train it again")

    monkeypatch.setattr(narrow.service.engine.loader, "_folder", broken)
    with narrow.client() as client:
        for stream in (True, False):
            got = client.post("/v1/chat/completions", json=ask("legal", stream=stream))
            assert got.status_code == 500
            assert got.json()["error"]["code"] == "adapter_broken"
            assert "/secret" not in got.text
        assert client.post("/v1/chat/completions", json=ask("base")).status_code == 200


def test_a_stream_that_fails_midway_says_so_and_ends(narrow, ask, monkeypatch):
    real = narrow.service.engine._step
    steps = iter(range(1000))

    def step():
        if next(steps) == 4:
            raise RuntimeError("a fault nobody foresaw")
        real()

    monkeypatch.setattr(narrow.service.engine, "_step", step)
    with narrow.client() as client:
        got = client.post("/v1/chat/completions", json=ask(stream=True, max_tokens=50))
        assert got.status_code == 200
        frames = [line.removeprefix("data: ") for line in got.text.splitlines() if line]
        assert frames[-1] == "[DONE]"
        assert json.loads(frames[-2])["error"]["type"] == "server_error"
        assert "nobody foresaw" not in got.text
        assert client.post("/v1/chat/completions", json=ask()).status_code == 200


def test_a_full_queue_is_429_with_a_time(planted, ask, monkeypatch):
    with running(planted, rows=1, queue=1) as server:
        slowed(server.service, monkeypatch, 0.02)
        first = raw(server, ask(stream=True, **LONG))
        assert busy(server)
        second = raw(server, ask(stream=True, **LONG))
        end = time.monotonic() + 5
        while not server.service.engine.waiting() and time.monotonic() < end:
            time.sleep(0.01)
        with server.client() as client:
            got = client.post("/v1/chat/completions", json=ask())
            assert got.status_code == 429
            assert int(got.headers["retry-after"]) >= 1
        first.close()
        second.close()


def test_a_server_that_ends_finishes_what_it_began_and_takes_nothing_new(planted, ask, monkeypatch):
    with running(planted) as server:
        slowed(server.service, monkeypatch)
        got = []

        def listen():
            with server.client() as client:
                got.append(client.post("/v1/chat/completions", json=ask(stream=True, max_tokens=100)))

        with server.client() as kept:
            assert kept.get("/readyz").json() == {"status": "ready"}
            thread = threading.Thread(target=listen)
            thread.start()
            assert busy(server)
            server.app.state.context.draining = True
            refused = kept.post("/v1/chat/completions", json=ask())
            assert refused.status_code == 503
            assert refused.json()["error"]["code"] == "shutting_down"
            assert kept.get("/readyz").status_code == 503
            assert kept.get("/healthz").status_code == 200
        server.server.end()
        thread.join(20)
        assert got[0].text.endswith("data: [DONE]\n\n")
        assert '"finish_reason":"length"' in got[0].text
    with pytest.raises(httpx.ConnectError), server.client() as client:
        client.get("/healthz")
