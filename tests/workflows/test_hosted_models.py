"""Adapters that hosted models answer for: registered, asked, measured, compared, and paid for."""

from __future__ import annotations

import json

import pytest
import yaml

from hatrack.core.project import Project
from hatrack.registry.store import Registry
from hosted_models_project import hosted_models_project, providers
from hosted_project import colour_in
from provider_server import KEY, Fault


@pytest.fixture(scope="module")
def servers():
    with providers() as running:
        yield running


@pytest.fixture
def make(tmp_path, tiny_causal, servers, monkeypatch, hatrack):
    """A project with versions, after ``train`` of all its adapters."""
    monkeypatch.setenv("SOME_KEY", KEY)
    for server in servers.values():
        server.say, server.faults, server.pause = colour_in, [], 0.0

    def make(**keys):
        root = hosted_models_project(tmp_path / "project", tiny_causal, servers, **keys)
        ran = hatrack("train", project=root)
        assert ran.code == 0, ran.err
        assert "nothing was trained, nothing was sent" in ran.out
        assert not any(server.asked for server in servers.values())
        return root

    yield make
    for server in servers.values():
        server.asked.clear()


def test_training_registers_and_the_same_settings_are_one_version(make, hatrack):
    root = make()
    hatrack("train", "helper", project=root)
    registry = Registry(Project(root))
    [version] = registry.versions("helper")
    assert (version.version, version.base, version.hosted.provider) == ("1.0.0", "anthropic/claude-1", "anthropic")
    config = yaml.safe_load((root / "hatrack.yaml").read_text())
    config["hosted"]["claude"]["price"]["input_million"] = 1
    (root / "hatrack.yaml").write_text(yaml.safe_dump(config))
    hatrack("train", "helper", project=root)
    assert len(registry.versions("helper")) == 1, "a price is no part of a version"
    config["adapters"]["helper"]["system"] = "Be long."
    (root / "hatrack.yaml").write_text(yaml.safe_dump(config))
    hatrack("train", "helper", project=root)
    assert [one.version for one in registry.versions("helper")] == ["1.0.0", "2.0.0"]


def test_ask_and_chat_go_there_stream_and_say_what_it_cost(make, hatrack, servers, monkeypatch):
    root = make()
    ran = hatrack("ask", "helper", "the red apple", "--json", project=root)
    assert ran.code == 0, ran.err
    reply = json.loads(ran.out)
    assert (reply["text"], reply["prompt_tokens"], reply["answer_tokens"]) == ("red", 5, 1)
    assert reply["cost"] == pytest.approx(0.15)
    [asked] = servers["claude"].asked
    assert asked.body["system"] == "Be short."

    from hatrack import Assistant

    monkeypatch.setattr("hatrack.models.loading.open_base", lambda *a, **k: pytest.fail("a base was loaded"))
    pieces = []
    servers["misty"].say = lambda model, messages: "one two"
    Assistant.open(root).generate("x", "misty", on_text=pieces.append)
    assert pieces == ["one", " two"]
    assert servers["misty"].asked[0].body["stream"]


def test_eval_measures_it_against_the_base_with_its_cost(make, hatrack, servers):
    root = make()
    ran = hatrack("eval", "colours", "--json", project=root)
    assert ran.code == 0, ran.err
    report = json.loads(ran.out)
    by_name = {system["name"]: system for system in report["systems"]}
    assert by_name["adapter"]["scores"]["accuracy"]["value"] == 1.0
    paid = sum(0.01 * sum(len(turn["content"].split()) for turn in one.body["messages"]) + 0.1 for one in servers["gpt"].asked)
    assert by_name["adapter"]["cost_thousand"] == pytest.approx(1000 * paid / 45)
    assert by_name["base-prompted"]["cost_thousand"] is None
    table = hatrack("eval", "colours", project=root).out
    assert "cost of 1000" in table
    beside = json.loads(hatrack("eval", "colours", "--against", "base", "--json", project=root).out)
    assert beside["cost_thousand"] == [pytest.approx(1000 * paid / 45), None]
    assert "1,000 answers of colours@1.0.0 cost" in hatrack("eval", "colours", "--against", "base", project=root).out


def test_an_adapter_without_rows_has_nothing_to_measure(make, hatrack):
    ran = hatrack("eval", "helper", project=make())
    assert ran.code == 2
    assert "no rows" in ran.err


def test_rows_with_personal_data_stay_here_unless_the_model_may_have_them(make, hatrack, servers):
    pii = {"colours": {"prepare": {"pii": {"mode": "off"}}}}
    ran = hatrack("eval", "colours", project=make(adapters=pii))
    assert (ran.code, servers["gpt"].asked) == (2, [])
    assert "hosted.NAME.personal_data: send" in ran.err
    ran = hatrack("eval", "colours", project=make(adapters=pii, entries={"gpt": {"personal_data": "send"}}))
    assert ran.code == 0, ran.err


def test_a_budget_ends_an_evaluation_and_leaves_no_report(make, hatrack, servers):
    root = make(adapters={"colours": {"budget": {"month": 8}}})
    ran = hatrack("eval", "colours", project=root)
    assert ran.code == 2
    assert "adapters.colours.budget.month: 8" in ran.err
    assert 0 < len(servers["gpt"].asked) < 45
    assert Registry(Project(root)).report(Registry(Project(root)).resolve("colours")) is None
    shown = json.loads(hatrack("costs", "--json", project=root).out)
    assert shown["budgets"][0]["place"] == "adapters.colours.budget.month"
    assert 0 < shown["budgets"][0]["spent"] <= 8
    [line] = shown["lines"]
    assert (line["adapter"], line["requests"]) == ("colours", len(servers["gpt"].asked))


def test_costs_shows_every_adapter_and_what_nobody_knows(make, hatrack, servers, monkeypatch):
    monkeypatch.setattr("hatrack.models.backends.metered.FIRST_WAIT", 0.01)
    root = make()
    assert "No hosted model was asked this month." in hatrack("costs", project=root).out
    servers["claude"].faults = [Fault("/messages", drop=True)]
    for name in ("helper", "misty"):
        assert hatrack("ask", name, "the red apple", project=root).code == 0
    out = hatrack("costs", "--period", "day", project=root).out
    assert "helper" in out
    assert "misty" in out
    assert "0.130000" in out, out
    assert "Nobody knows what unanswered requests cost" in out


def test_compare_tries_every_hosted_model_at_its_own_price(make, hatrack, servers):
    root = make(compare={"approaches": ["majority", "hosted"], "curves": "off", "shots": 1})
    for server in servers.values():
        server.say = lambda model, messages: colour_in(model, messages[-1:])
    ran = hatrack("compare", "colours", "--json", project=root)
    assert ran.code == 0, ran.err
    entries = {entry["approach"]: entry for entry in json.loads(ran.out)["entries"]}
    assert set(entries) == {"majority", "hosted-claude", "hosted-misty", "hosted-gpt"}
    assert entries["hosted-claude"]["scores"]["accuracy"]["value"] == 1.0
    assert all(entries[name]["cost_per_1000"] > 100 for name in entries if name != "majority")
    assert {line["adapter"] for line in json.loads(hatrack("costs", "--json", project=root).out)["lines"]} == {"colours"}


def test_versions_and_diff_say_who_answers(make, hatrack, servers):
    root = make()
    shown = hatrack("versions", "helper", project=root).out
    assert servers["claude"].base_url.split("/")[2] in column(shown, 4)


def column(table, at):
    """The text of a column whose cells are wrapped, without the wrapping."""
    cells = [line.split("│")[at].strip() for line in table.splitlines() if line.startswith("│")]
    return "".join(filter(None, cells))
