"""Loading, pinning, promoting, and what can be seen of it: metrics, logs, spans."""

from __future__ import annotations

import json
import logging
import time

import pytest
from prometheus_client.parser import text_string_to_metric_families

from hatrack.api.journal import _JsonLines
from hatrack.core.config_http import HttpSettings
from hatrack.registry.promote import promote
from http_server import running
from made_versions import report
from served_adapters import plant, project_of


@pytest.fixture(scope="module")
def root(tmp_path_factory, tiny_causal):
    root = project_of(tmp_path_factory.mktemp("admin"), tiny_causal)
    for seed, name in enumerate(("a", "a", "b", "idle")):
        plant(root, tiny_causal, name, 20 + seed)
    return root


@pytest.fixture(scope="module")
def server(root):
    with running(root, slots=2, http=HttpSettings()) as server:
        yield server


@pytest.fixture(scope="module")
def client(server):
    with server.client() as client:
        yield client


def state(client, adapter, version="1.0.0"):
    return next(s for s in client.get("/admin/adapters").json()["data"] if (s["adapter"], s["version"]) == (adapter, version))


def until(condition, seconds=10):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)


def figures(client):
    """``{(metric, adapter, version, ...): value}`` of the page."""
    return {
        (sample.name, *(sample.labels[key] for key in sorted(sample.labels))): sample.value
        for family in text_string_to_metric_families(client.get("/metrics").text)
        for sample in family.samples
    }


def test_a_version_is_loaded_pinned_and_unloaded(client, ask):
    assert state(client, "idle")["state"] == "registered"
    got = client.post("/admin/adapters/idle/load")
    assert got.status_code == 202
    until(lambda: state(client, "idle")["state"] == "resident")
    assert client.post("/admin/adapters/idle@1.0.0/pin").json()["state"] == "pinned"
    assert client.post("/admin/adapters/b/pin").status_code == 409, "one slot stays free for the others"
    for name in ("a@1.0.0", "b", "a@1.0.1"):
        assert client.post("/v1/chat/completions", json=ask(name, max_tokens=1)).status_code == 200
    kept = state(client, "idle")
    assert (kept["state"], kept["pinned"], kept["evictions"]) == ("resident", True, 0)
    assert client.post("/admin/adapters/idle/unpin").status_code == 200
    assert client.post("/admin/adapters/idle/unload").json()["state"] == "unloaded"
    assert state(client, "idle")["state"] == "registered"
    assert client.post("/admin/adapters/idle/unload").status_code == 409
    for action in ("load", "unload", "pin", "unpin", "promote"):
        assert client.post(f"/admin/adapters/ghost/{action}").status_code == 404
        assert client.post(f"/admin/adapters/base/{action}").status_code == 404


def test_F30_metrics_show_every_version_idle_and_loaded_ones_too(client, ask):
    client.post("/admin/adapters/idle/load")
    until(lambda: state(client, "idle")["state"] == "resident")
    before = figures(client)
    assert before["hatrack_resident", "idle", "1.0.0"] == 1, "loaded and never asked"
    assert before["hatrack_requests_total", "idle", "stop", "1.0.0"] == 0
    for name in ("tokens_total",):
        assert before[f"hatrack_{name}", "idle", "completion", "1.0.0"] == 0
    for name in ("running", "waiting", "pinned"):
        assert before[f"hatrack_{name}", "idle", "1.0.0"] == 0
    assert before["hatrack_first_token_seconds_count", "idle", "1.0.0"] == 0
    assert before["hatrack_loads_total", "idle", "1.0.0"] >= 1
    client.post("/v1/chat/completions", json=ask("b", max_tokens=5))
    client.post("/v1/embeddings", json={"model": "b", "input": "the red"})
    after = figures(client)

    def gained(*key):
        return after[key] - before.get(key, 0)

    assert gained("hatrack_tokens_total", "b", "completion", "1.0.0") == 5
    assert gained("hatrack_requests_total", "b", "length", "1.0.0") == 1
    assert gained("hatrack_requests_total", "b", "stop", "1.0.0") == 1
    assert gained("hatrack_first_token_seconds_count", "b", "1.0.0") == 1
    assert gained("hatrack_http_responses_total", "/v1/chat/completions", "200") == 1
    assert sum(value for key, value in after.items() if key[0] == "hatrack_evictions_total") >= 1
    assert not any("_created" in key[0] for key in after)


def test_a_version_of_another_base_does_not_hide_the_others_from_the_metrics(server, client, tmp_path):
    from conftest import make_causal

    root = server.service.project.root
    other = make_causal(tmp_path / "other", seed=9)
    (root / "elsewhere").mkdir()
    plant(project_of(root / "elsewhere", other), other, "foreign", 1)
    from hatrack.core.project import Project
    from hatrack.registry.store import Registry

    there = Registry(Project(root / "elsewhere"))
    server.service.registry.add(there.resolve("foreign"), there.folder(there.resolve("foreign")))
    assert figures(client)["hatrack_resident", "foreign", "1.0.0"] == 0
    got = client.post("/v1/chat/completions", json={"model": "foreign", "messages": [{"role": "user", "content": "x"}]})
    assert got.status_code == 409
    assert got.json()["error"]["code"] == "adapter_mismatch"


def test_promotion_keeps_the_registrys_gate_and_moves_the_name_without_a_restart(server, client, ask):
    registry = server.service.registry
    first, second = registry.versions("a")
    refused = client.post("/admin/adapters/a@1.0.0/promote")
    assert refused.status_code == 409
    assert refused.json()["error"]["code"] == "promotion_refused"
    registry.add_report(first, report(first, metric="token_f1"))
    told = client.post("/admin/adapters/a@1.0.0/promote")
    assert told.json().get("version") == "1.0.0", told.text
    answers = {}
    for wanted in ("1.0.0", second.version):
        if wanted == second.version:
            told = client.post(f"/admin/adapters/a@{wanted}/promote", json={"override": "it is better at rent"})
            assert told.status_code == 200, told.text
        got = client.post("/v1/chat/completions", json=ask("a"))
        assert got.headers["x-hatrack-version"] == wanted
        answers[wanted] = got.json()["choices"][0]["message"]["content"]
    assert len(set(answers.values())) == 2
    assert registry.history("a")[-1].reason == "it is better at rent"
    assert client.post("/admin/adapters/a/rollback").json()["version"] == "1.0.0"
    assert client.post("/v1/chat/completions", json=ask("a@champion")).headers["x-hatrack-version"] == "1.0.0"
    assert client.post("/admin/adapters/a/rollback").status_code == 409
    assert "a@champion" in [model["id"] for model in client.get("/v1/models").json()["data"]]


def test_F24_after_a_promotion_the_same_words_are_answered_by_the_new_weights(server, client, ask):
    first, second = server.service.registry.versions("a")
    for manifest in (first, second, first):
        promote(server.service.registry, f"a@{manifest.version}", override="try")
        by_name = client.post("/v1/chat/completions", json=ask("a")).json()["choices"]
        by_version = client.post("/v1/chat/completions", json=ask(f"a@{manifest.version}")).json()["choices"]
        assert by_name == by_version


def test_logs_are_lines_of_json_without_prompts_answers_or_keys(client, ask, caplog):
    key = "hat_secretsecretsecret"
    with caplog.at_level(logging.INFO, logger="hatrack"):
        got = client.post(
            "/v1/chat/completions?token=inquery", json=ask("b", "tell me a secret"),
            headers={"Authorization": f"Bearer {key}", "X-Request-Id": "r-1"},
        )  # fmt: skip
        client.get("/v1/models/..%2fprivate")
    text = got.json()["choices"][0]["message"]["content"]
    lines = [json.loads(_JsonLines().format(record)) for record in caplog.records if record.name.startswith("hatrack")]
    first = next(line for line in lines if line.get("request_id") == "r-1")
    assert first["route"] == "/v1/chat/completions"
    assert (first["status"], first["adapter"], first["version"], first["completion_tokens"]) == (200, "b", "1.0.0", 8)
    assert first["seconds"] > 0
    everything = json.dumps(lines)
    for secret in (key, "secret", "inquery", "private", text):
        assert secret not in everything


def test_a_span_says_whose_weights_answered(client, ask):
    export = pytest.importorskip("opentelemetry.sdk.trace.export.in_memory_span_exporter")
    from opentelemetry import trace
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor

    memory = export.InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(memory))
    trace.set_tracer_provider(provider)
    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    client.post("/v1/chat/completions", json=ask("b", "tell me a secret"), headers={"traceparent": parent})
    until(lambda: any(span.parent and span.parent.is_remote for span in memory.get_finished_spans()))
    span = next(span for span in memory.get_finished_spans() if span.parent and span.parent.is_remote)
    assert f"{span.context.trace_id:032x}" == parent.split("-")[1]
    assert span.attributes["gen_ai.request.model"] == "b"
    assert span.attributes["gen_ai.usage.output_tokens"] == 8
    assert span.attributes["hatrack.version"] == "1.0.0"
    assert "secret" not in "".join(str(one.attributes) for one in memory.get_finished_spans())
    provider.shutdown()
