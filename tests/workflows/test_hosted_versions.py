"""A hosted version in use: evaluated against the base here, asked over its provider, refused where weights are needed."""

from __future__ import annotations

import json
import shutil

import pytest
import yaml

from conftest import label_rows
from hatrack.core.project import Project
from hatrack.registry.store import Registry
from hosted_project import colour_in, hosted_project, set_provider
from provider_server import KEY, Fault, provider_server

TRAIN = ("train", "colours", "--provider", "openai")


@pytest.fixture(scope="module")
def server():
    with provider_server() as running:
        yield running


@pytest.fixture
def root(tmp_path, tiny_causal, server, monkeypatch, hatrack):
    """A project with a hosted version whose model knows its labels."""
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    server.say, server.way, server.faults = colour_in, ("succeeded",), []
    folder = hosted_project(tmp_path / "project", tiny_causal, server)
    assert hatrack(*TRAIN, project=folder).code == 0
    server.asked.clear()
    return folder


def test_it_is_measured_against_the_base_on_the_same_rows_and_can_be_promoted(hatrack, root, server):
    ran = hatrack("eval", "colours", "--json", project=root)
    assert ran.code == 0, ran.err
    report = json.loads(ran.out)
    systems = {system["name"]: system for system in report["systems"]}
    assert set(systems) == {"base-prompted", "base-scored", "base-calibrated", "adapter"}
    assert systems["adapter"]["scores"]["accuracy"]["value"] == 1.0
    assert systems["adapter"]["scores"]["format"]["value"] == 1.0
    assert not systems["adapter"]["constrained"]
    assert systems["adapter"]["latency_p50_ms"] > 0
    assert systems["adapter"]["latency_rows"] == 20
    compared = {comparison["metric"] for comparison in report["comparisons"]}
    assert {"accuracy", "format", "latency_p50_ms"} <= compared
    assert not compared & {"prompt_tokens", "answer_tokens"}, "tokens of two tokenizers were subtracted"
    assert server.count("POST", "/v1/chat/completions") == report["rows"] == 45, "a row was asked, and paid, twice"
    [asked] = {json.dumps(one.body["messages"][0]) for one in server.asked}
    assert json.loads(asked) == {"role": "system", "content": "Name the colour."}
    assert "45 rows go to 127.0.0.1" in ran.err
    assert hatrack("promote", "colours", project=root).code == 0


def test_answers_that_are_no_label_count_as_wrong_and_against_the_format(hatrack, root, server):
    server.say = lambda model, messages: "It is " + colour_in(model, messages)
    ran = hatrack("eval", "colours", project=root)
    assert ran.code == 1
    assert "hosted" in ran.out
    registry = Registry(Project(root))
    adapter = registry.report(registry.resolve("colours")).system("adapter")
    assert adapter.description.startswith("adapter, hosted at 127.0.0.1:")
    assert adapter.scores["accuracy"].value == adapter.scores["format"].value == 0.0


def test_free_answers_are_measured_too(hatrack, tmp_path, tiny_causal, server, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    server.say, server.way = colour_in, ("succeeded",)
    rows = [{"prompt": row["text"], "response": row["label"]} for row in label_rows(60)]
    root = hosted_project(tmp_path / "free", tiny_causal, server, rows, task="instruct")
    assert hatrack(*TRAIN, project=root).code == 0
    report = json.loads(hatrack("eval", "colours", "--json", project=root).out)
    assert report["metric"] == "token_f1"
    assert next(system for system in report["systems"] if system["name"] == "adapter")["scores"]["accuracy"]["value"] == 1.0


def test_a_provider_that_fails_leaves_no_report(hatrack, root, server):
    server.faults = [Fault("/completions", status=400, message="over the limit")]
    ran = hatrack("eval", "colours", project=root)
    assert ran.code == 2
    assert "over the limit" in ran.err
    assert Registry(Project(root)).report(Registry(Project(root)).resolve("colours")) is None


def test_test_rows_with_personal_data_are_not_sent_either(hatrack, root, server):
    config = yaml.safe_load((root / "hatrack.yaml").read_text())
    config["adapters"]["colours"]["prepare"] = {"pii": {"mode": "off"}}
    (root / "hatrack.yaml").write_text(yaml.safe_dump(config))
    assert hatrack("eval", "colours", project=root).code == 2
    assert server.asked == []


def test_ask_chat_and_classify_go_there_and_load_no_base(hatrack, root, server, tmp_path, monkeypatch):
    set_provider(root, api_key_env="ANOTHER")  # a version keeps the key it was trained with: it never goes to another host
    moved = yaml.safe_load((root / "hatrack.yaml").read_text())
    shutil.rmtree(tmp_path / "gone", ignore_errors=True)
    (root / "hatrack.yaml").write_text(yaml.safe_dump({**moved, "base": str(tmp_path / "gone")}))
    ran = hatrack("ask", "colours", "lamp green stone", project=root)
    assert (ran.code, ran.out) == (0, "green\n"), ran.err
    assert "texts go to 127.0.0.1" in ran.err
    assert server.asked[-1].body["messages"][0] == {"role": "system", "content": "Name the colour."}

    texts = tmp_path / "texts.txt"
    texts.write_text("a blue bird\nno colour at all\n")
    ran = hatrack("classify", "colours", str(texts), project=root)
    rows = [json.loads(line) for line in ran.out.splitlines()]
    assert [(row["label"], row["probability"]) for row in rows] == [("blue", None), (None, None)]

    lines = iter(["red stone", "/quit"])
    monkeypatch.setattr("builtins.input", lambda prompt: next(lines))
    assert "red\n" in hatrack("chat", "--adapter", "colours", project=root).out


def test_versions_says_where_the_weights_are(hatrack, root):
    words = hatrack("versions", project=root).out.split()
    assert {"openai", "at"} <= set(words)
    [manifest] = json.loads(hatrack("versions", "--json", project=root).out)
    assert manifest["hosted"]["job"].startswith("ftjob-")


def test_diff_names_what_is_hosted_and_local_work_refuses(hatrack, root):
    assert hatrack("train", "colours", project=root).code == 0
    versions = Registry(Project(root)).versions("colours")
    assert [(m.version, m.hosted is not None) for m in versions] == [("1.0.0", True), ("2.0.0", False)]
    fields = {row["field"] for row in json.loads(hatrack("diff", "colours@1.0.0", "colours@2.0.0", "--json", project=root).out)}
    assert {"config.method", "base", "hosted.model", "hosted.job"} <= fields

    refused = hatrack("merge", "both", "colours@1.0.0", "colours@2.0.0", project=root)
    assert refused.code == 2
    assert "the weights of colours@1.0.0 are not on this machine" in refused.err
    config = yaml.safe_load((root / "hatrack.yaml").read_text())
    config["adapters"]["colours"]["parent"] = "colours@1.0.0"
    (root / "hatrack.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    assert "are not on this machine" in hatrack("train", "colours", project=root).err
    assert "trains its own model" in hatrack(*TRAIN, project=root).err


def test_a_damaged_record_is_refused(hatrack, root):
    registry = Registry(Project(root))
    manifest = registry.resolve("colours")
    registry.blobs.path(manifest.files["hosted.json"]).write_text("{}")
    ran = hatrack("ask", "colours", "red", project=root)
    assert ran.code == 2
    assert "damaged" in ran.err or "missing" in ran.err
