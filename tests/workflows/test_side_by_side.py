"""``hatrack eval --against``: any two systems on the same rows, their answers in files, and the page."""

from __future__ import annotations

import json

import pytest

from compared_projects import bench_of
from hatrack.core.errors import CheckFailed, ConfigError, EvaluationError
from hatrack.evaluation.predictions import read_predictions
from hatrack.registry.promote import promote
from hatrack.workflows.answerers import is_here, open_answerer
from hatrack.workflows.side_by_side import side_by_side
from hosted_project import colour_in
from projects import copy_of, trained_by_text, trained_encoder
from provider_server import KEY, provider_server


@pytest.fixture(scope="module")
def project(tiny_causal, tmp_path_factory):
    root = copy_of(trained_by_text(tiny_causal), tmp_path_factory.mktemp("beside"))
    rows = [json.loads(line) for line in (root / "colours.jsonl").read_text().splitlines()]
    rows = [{**row, "country": "FR" if i % 3 else "IN"} for i, row in enumerate(rows)]
    (root / "colours.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    promote(bench_of(root).registry, "colours@1.0.0", override="for the test")
    return root


def run(project, *specs, **keys):
    return side_by_side(bench_of(project), specs, "colours", key_env="OPENAI_API_KEY", list_labels=False, **keys)


@pytest.fixture(scope="module")
def found(project):
    return run(project, "colours@champion", "base", by=["country", "label"])


def test_an_alias_beside_the_base(found):
    assert found.names == ("colours@1.0.0", "base")
    assert found.scores[0].metric.name == "accuracy"
    accuracy = next(one for one in found.differences if one.metric == "accuracy")
    assert accuracy.significant_gain
    assert accuracy.p_value < 0.01


def test_slices_know_columns_that_training_did_not(found):
    assert {(one.column, one.value) for one in found.slices} >= {("country", "FR"), ("country", "IN"), ("label", "red")}
    assert sum(one.rows for one in found.slices if one.column == "country") == found.rows


def test_the_answers_are_files_for_the_scorer_and_the_page_shows_where_they_differ(found):
    ours, base = (read_predictions(file) for file in found.files)
    assert ours.ids == base.ids
    assert ours.columns[0]["country"] in ("FR", "IN")
    text = found.page.read_text(encoding="utf-8")
    data = json.loads(text.partition('id="rows">')[2].partition("</script>")[0])
    assert len(data) == found.rows
    assert sum(row["better"] == "a" for row in data) > sum(row["better"] == "b" for row in data)


def test_a_server_by_its_url_is_asked_as_everybody_else(project, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with provider_server() as server:
        server.say, server.models = colour_in, {"auto"}
        found = run(project, f"{server.base_url}#auto")
        asked = [one.body["messages"] for one in server.asked if one.path.endswith("chat/completions")]
    assert found.scores[0].score.value == 1
    assert found.page is None
    assert len(asked) == found.rows
    assert [turn["role"] for turn in asked[0]] == ["user"]  # the server's adapter has its own system prompt


def test_a_model_that_was_not_trained_on_the_labels_is_told_them(project, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    bench = bench_of(project)
    prepared = bench.prepare("colours")
    with provider_server() as server:
        server.say, server.models = colour_in, {"m"}
        answerer = open_answerer(bench, f"{server.base_url}#m", "colours", prepared, key_env="OPENAI_API_KEY", list_labels=True)
        answerer.answer(list(prepared.splits.test)[:1])
        messages = server.asked[-1].body["messages"]
    assert messages[0]["content"].startswith("Name the colour.")
    assert messages[0]["content"].endswith("blue\ngreen\nred")


def test_rows_that_nobody_looked_through_do_not_leave_the_machine(project, monkeypatch, tmp_path):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    root = copy_of(project, tmp_path)
    config = root / "hatrack.yaml"
    config.write_text(
        config.read_text().replace("    data: colours.jsonl\n", "    data: colours.jsonl\n    prepare: {pii: {mode: 'off'}}\n")
    )
    with pytest.raises(CheckFailed, match=r"may leave this machine for api\.example"):
        run(root, "https://api.example/v1#m")


def test_what_cannot_answer_is_refused(project, tiny_encoder, tmp_path):
    with pytest.raises(ConfigError, match="which model"):
        run(project, "http://127.0.0.1:9/v1")
    words = copy_of(trained_encoder(tiny_encoder), tmp_path)
    with pytest.raises(EvaluationError, match="an encoder alone gives no answers"):
        side_by_side(bench_of(words), ["base"], "words", key_env="X", list_labels=False)


@pytest.mark.parametrize(("host", "here"), [("127.0.0.1:8000", True), ("localhost", True), ("[::1]:80", True), ("api.example:443", False)])
def test_this_machine_is_known_by_its_names(host, here):
    assert is_here(host) == here


def test_the_command_prints_figures_differences_slices_and_where_everything_lies(project, hatrack, found):
    ran = hatrack("eval", "colours", "--against", "base", "--by", "country", project=project)
    assert ran.code == 0, ran.err
    for words in ("colours@1.0.0: ", "colours@1.0.0 minus base", "accuracy by slice", "FR", "answers of base", "page: "):
        assert words in ran.out
    as_json = json.loads(hatrack("eval", "base", "--on", "colours", "--json", project=project).out)
    assert as_json["systems"] == ["base"]
    assert as_json["against"] == []
