"""Drift of a version in use, and the schedules that look at it: history, alerts, a retraining that ends at the gate."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
import yaml

from conftest import label_rows, write_jsonl
from hatrack.answering.assistant import Assistant
from hatrack.answering.request_log import RequestLog
from hatrack.core.config_watch import Schedule, WatchSettings
from hatrack.core.project import Project
from hatrack.core.watch_history import History, Ran
from hatrack.evaluation.drift.sample import REFERENCE
from hatrack.registry.store import Registry
from hatrack.workflows.watch import Watch
from projects import copy_of, trained_encoder
from tiny_training import silent


@pytest.fixture
def root(tiny_encoder, tmp_path):
    root = copy_of(trained_encoder(tiny_encoder), tmp_path)
    change(root, routing={"embedder": str(tiny_encoder)}, watch={"log_requests": True})
    return root


def change(root, **keys):
    path = root / "hatrack.yaml"
    path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), **keys}))


def asked(root, texts):
    """What a server logs: its own answers, which differ from machine to machine as the weights do."""
    log = RequestLog(Project(root).requests, WatchSettings(log_requests=True))
    answers = Assistant.open(root).classify(texts, adapter="words")
    log.note("words", "1.0.0", texts, [one.label for one in answers], [one.probability for one in answers])


def usual(seed=9, count=60):
    return [row["text"] for row in label_rows(count, seed=seed)]


def test_a_window_like_the_data_is_left_alone_and_another_one_is_flagged(root, hatrack):
    asked(root, usual())
    ran = hatrack("drift", "words", project=root)
    assert ran.code == 0, ran
    assert "no drift was found" in ran.out
    registry = Registry(Project(root))
    assert registry.resolve("words").digest in registry.attached(REFERENCE)
    asked(root, ["Bonjour, je voudrais savoir pourquoi ma carte bancaire ne marche plus, merci de votre aide"] * 500)
    ran = hatrack("drift", "words", "--json", project=root)
    report = json.loads(ran.out)
    assert (ran.code, report["drifted"], report["window"]) == (1, True, 500)
    assert {"content", "length", "language"} <= {test["what"] for test in report["tests"] if test["drifted"]}


def test_a_data_file_without_labels_can_be_the_window(root, hatrack):
    write_jsonl(root / "new.jsonl", [{"text": text} for text in usual(seed=4)])
    assert hatrack("drift", "words", "--file", str(root / "new.jsonl"), project=root).code == 0


@pytest.mark.parametrize("stream", [[], ["--stream"]])
def test_the_table_shows_every_test(root, hatrack, stream):
    pytest.importorskip("river")
    asked(root, usual())
    ran = hatrack("drift", "words", *stream, project=root)
    for what in ("content", "spread of content", "length", "language", "label"):
        assert what in ran.out
    assert ("ADWIN" in ran.out) == bool(stream)


def test_a_reference_is_made_of_the_very_data_a_version_was_trained_on(root, hatrack):
    asked(root, usual())
    write_jsonl(root / "words.jsonl", label_rows(60, seed=5))
    ran = hatrack("drift", "words", project=root)
    assert ran.code == 2
    assert "not what words@1.0.0 was trained on" in ran.err


class Hook(BaseHTTPRequestHandler):
    got: list = []  # noqa: RUF012
    status = 204

    def do_POST(self):
        self.got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(self.status)
        self.end_headers()

    def log_message(self, *args):
        pass


@pytest.fixture
def hook(monkeypatch):
    Hook.got.clear()
    server = HTTPServer(("127.0.0.1", 0), Hook)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    monkeypatch.setenv("HOOK", f"http://127.0.0.1:{server.server_port}/secret-path")
    yield Hook
    server.shutdown()
    server.server_close()
    thread.join()


SCHEDULE = {"job": "drift", "adapter": "words", "every": "1d"}


def test_an_alert_is_written_down_told_and_starts_a_retraining_that_ends_at_the_gate(root, hatrack, hook):
    asked(root, ["Bonjour, je voudrais savoir pourquoi ma carte bancaire ne marche plus, merci de votre aide"] * 60)
    assert hatrack("drift", "words", "--reference", project=root).code == 0
    write_jsonl(root / "words.jsonl", label_rows(66, seed=5))
    watch = {"log_requests": True, "schedules": [{**SCHEDULE, "retrain": True}], "alerts": {"webhook_env": "HOOK"}}
    change(root, watch=watch, gate={"min_gain": 0.9})
    ran = hatrack("run-due", "--json", project=root)
    (found,) = json.loads(ran.out)
    assert (ran.code, found["outcome"], found["told"]) == (1, "alert", "HTTP 204")
    assert "did not pass the gate" in found["retrained"]
    registry = Registry(Project(root))
    assert registry.aliases("words") == {}
    assert [manifest.version for manifest in registry.versions("words")] == ["1.0.0", "1.1.0"]
    assert len(registry.attached(REFERENCE)) == 2
    assert [alert["outcome"] for alert in hook.got] == ["alert"]
    assert "carte" not in json.dumps(hook.got)
    assert "secret-path" not in ran.out + ran.err + (root / ".hatrack" / "watch.jsonl").read_text()
    assert hatrack("run-due", project=root).out.strip() == "nothing is due"
    shown = hatrack("run-due", "--history", project=root)
    assert shown.code == 0
    assert "alert" in shown.out


def test_a_job_that_cannot_be_done_is_a_failure_in_the_history_and_the_others_go_on(root):
    change(root, watch={"schedules": [SCHEDULE, {**SCHEDULE, "job": "redteam"}]})
    ran = Watch(root, silent()).run_due()
    assert [(one.job, one.outcome) for one in ran] == [("drift", "failed"), ("redteam", "failed")]
    assert "no request" in ran[0].reasons[0]


def test_a_deaf_webhook_does_not_stop_the_watch(root, monkeypatch, hook):
    monkeypatch.setattr(Hook, "status", 302)
    change(root, watch={"schedules": [SCHEDULE], "alerts": {"webhook_env": "HOOK"}})
    assert Watch(root, silent()).run_due()[0].told == "refused: HTTP 302"
    monkeypatch.setenv("HOOK", "http://127.0.0.1:9/")
    Project(root).watch.unlink()
    assert Watch(root, silent()).run_due()[0].told.startswith("not reached")


def test_the_worker_runs_what_is_due_and_ends(root, hatrack):
    asked(root, usual())
    change(root, watch={"schedules": [SCHEDULE]})
    ran = hatrack("worker", "--once", project=root)
    assert ran.code == 0
    assert "fine" in ran.out
    assert ran.out.strip().endswith("stopped")


def test_what_is_due_follows_from_the_history(tmp_path):
    history = History(tmp_path / "watch.jsonl")
    schedule = Schedule.model_validate(SCHEDULE)
    assert history.due(schedule, 1000.0) == 0
    history.add(Ran(at=1000.0, job="drift", adapter="words", outcome="fine"))
    history.add(Ran(at=5000.0, job="redteam", adapter="words", outcome="fine"))
    with (tmp_path / "watch.jsonl").open("a") as stream:
        stream.write('{"at": 9')
    assert history.due(schedule, 1000.0 + 86_000) == pytest.approx(400)
    assert history.due(schedule, 1000.0 + 87_000) < 0
    assert len(history.read()) == 2
