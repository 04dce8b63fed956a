"""``hatrack serve`` and ``hatrack keys`` as a user runs them."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys

import httpx
import pytest
import yaml

from hatrack.api.server import Server, is_loopback_address, listen, must_be_safe
from hatrack.cli.commands import serve
from hatrack.core.errors import ConfigError


def start(root, *options):
    command = [sys.executable, "-m", "hatrack", "serve", "--project", str(root), "--port", "0", *options]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


def facts(process):
    """The lines at the start, up to the last of them."""
    told = {}
    for line in process.stdout:
        name, _, value = line.strip().partition(" ")
        told[name] = value.strip()
        if name == "stop":
            return told
    raise AssertionError(process.stderr.read())


def test_it_says_where_it_is_answers_and_ends_after_the_last_answer(planted, tmp_path, ask):
    config = yaml.safe_load((planted / "hatrack.yaml").read_text())
    served = tmp_path / "served"
    served.mkdir()
    (served / ".hatrack").symlink_to(planted / ".hatrack")
    serve = {"rows": 4, "context": 400, "kv_gb": 0.01, "slots": 4}
    (served / "hatrack.yaml").write_text(yaml.safe_dump({**config, "serve": serve}))
    process = start(served, "--precision", "fp32")
    try:
        told = facts(process)
        url = told["address"]
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/v1", url)
        assert not url.endswith(":0/v1")
        assert told["precision"].startswith("fp32")
        assert told["adapters"] == "3 (a, b, legal), 3 versions"
        assert "hatrack keys make" in told["keys"]
        with httpx.Client(timeout=30) as client:
            assert "<title>Hatrack</title>" in client.get(told["page"]).text
            client.post(f"{url}/chat/completions", json=ask(max_tokens=1))
            with client.stream("POST", f"{url}/chat/completions", json=ask(max_tokens=350, stream=True)) as answer:
                lines = answer.iter_lines()
                next(lines)
                process.send_signal(signal.SIGTERM)
                rest = list(lines)
        assert rest[-2] == "data: [DONE]"
        assert '"finish_reason":"length"' in rest[-4]
        out, err = process.communicate(timeout=20)
        assert process.returncode == 0, err
        assert out.strip() == "stopped"
        assert "Traceback" not in err
        logged = [json.loads(line) for line in err.splitlines() if line.startswith("{")]
        assert [line["completion_tokens"] for line in logged if line.get("completion_tokens")] == [1, 350]
    finally:
        process.kill()
        process.communicate()


def test_whoever_reads_the_address_can_connect_at_once(planted, monkeypatch, capsys):
    reached = []

    def connect(self, bound):
        address = re.search(r"http://([\d.]+):(\d+)/v1", capsys.readouterr().out)
        socket.create_connection((address[1], int(address[2])), timeout=5).close()
        reached.append(address[0])

    monkeypatch.setattr(Server, "serve_until_told", connect)
    monkeypatch.setattr("hatrack.api.journal.write_json_logs", lambda: None)  # it is for the whole process
    serve.run(planted, port=0, precision="fp32")
    assert reached


def test_keys_are_made_listed_and_revoked(planted, tmp_path, hatrack):
    root = tmp_path / "project"
    root.mkdir()
    (root / "hatrack.yaml").write_text((planted / "hatrack.yaml").read_text())
    assert "No key yet" in hatrack("keys", "list", project=root).out
    made = hatrack("keys", "make", "law", "--scope", "use:legal", "--scope", "metrics", "--tokens-per-minute", "5000", project=root)
    assert re.fullmatch(r"hat_\S{43}\n", made.out), "only the key, so that it can be piped"
    assert "use:legal, metrics" in made.err
    listed = hatrack("keys", "list", project=root).out
    assert "law" in listed
    assert "5,000" in listed
    assert made.out.strip() not in listed
    told = json.loads(hatrack("keys", "make", "other", "--json", project=root).out)
    assert told["key"].startswith("hat_")
    hatrack("keys", "revoke", "law", project=root)
    entries = json.loads(hatrack("keys", "list", "--json", project=root).out)
    assert [bool(entry["revoked"]) for entry in entries] == [True, False]
    for wrong in (("make",), ("make", "x", "--scope", "root"), ("revoke", "law"), ("make", "other")):
        ran = hatrack("keys", *wrong, project=root)
        assert (ran.code, ran.out) == (2, ""), ran
        assert ran.err.startswith("Error: ")


def test_a_whole_network_is_answered_with_keys_only():
    must_be_safe("127.0.0.1", keys=False, without_keys=False)
    must_be_safe("::1", keys=False, without_keys=False)
    must_be_safe("0.0.0.0", keys=True, without_keys=False)
    must_be_safe("0.0.0.0", keys=False, without_keys=True)
    for host in ("0.0.0.0", "::", "192.168.0.4", "example.org"):
        with pytest.raises(ConfigError, match="anybody"):
            must_be_safe(host, keys=False, without_keys=False)
    assert not is_loopback_address("localhost.evil")


def test_a_taken_port_is_known_before_anything_is_loaded():
    with listen("127.0.0.1", 0) as first:
        first.listen()
        port = first.getsockname()[1]
        with pytest.raises(ConfigError, match=f"port {port} is taken"):
            listen("127.0.0.1", port)
    with pytest.raises(ConfigError, match="cannot be listened on"):
        listen("203.0.113.1", 0)
