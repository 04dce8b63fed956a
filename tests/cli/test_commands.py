"""Each command on a tiny project: what it prints, what it leaves behind, and its exit code."""

from __future__ import annotations

import json

import pytest

from conftest import label_rows, write_jsonl
from hatrack.core.project import Project
from hatrack.registry.store import Registry
from projects import copy_of, speaking_base, trained_by_text, trained_encoder


@pytest.fixture
def colours(tiny_causal, tmp_path):
    return copy_of(trained_by_text(tiny_causal), tmp_path)


@pytest.fixture
def words(tiny_encoder, tmp_path):
    return copy_of(trained_encoder(tiny_encoder), tmp_path)


@pytest.fixture
def more(words, hatrack):
    """The encoder project with a second version, trained with another rank."""
    config = words / "hatrack.yaml"
    config.write_text(config.read_text().replace("r: 4", "r: 2"))
    assert hatrack("train", "words", project=words).code == 0
    return words


def champion(root, name):
    return Registry(Project(root)).aliases(name).get("champion")


def test_train_registers_a_version_and_says_what_comes_next(hatrack, make_project):
    root = make_project(train={"epochs": 1})
    ran = hatrack("train", project=root)
    assert ran.code == 0
    assert ran.out.startswith("first@1.0.0  digest ")
    assert "next: hatrack eval first" in ran.out
    assert [m.version for m in Registry(Project(root)).versions("first")] == ["1.0.0"]


def test_train_again_is_the_same_version(hatrack, words):
    ran = hatrack("train", "--json", project=words)
    assert ran.code == 0
    assert [manifest["version"] for manifest in json.loads(ran.out)] == ["1.0.0"]
    assert len(Registry(Project(words)).versions("words")) == 1


def test_train_with_another_option_is_a_new_version(more):
    assert [m.version for m in Registry(Project(more)).versions("words")] == ["1.0.0", "1.1.0"]


def test_train_refuses_a_wrong_name_before_it_trains_the_right_ones(hatrack, make_project):
    root = make_project()
    assert hatrack("train", "first", "secnd", project=root).code == 2
    assert Registry(Project(root)).names() == []


def test_eval_that_proves_the_adapter_ends_with_0_and_promote_makes_it_champion(hatrack, colours):
    ran = hatrack("eval", "colours", project=colours)
    assert ran.code == 0
    assert "next: hatrack promote colours@1.0.0" in ran.out
    assert "base, labels" in ran.out
    assert "\nadapter minus base" in ran.out
    assert champion(colours, "colours") is None
    promoted = hatrack("promote", "colours", project=colours)
    assert promoted.code == 0
    assert promoted.out.startswith("colours@1.0.0 is champion (digest ")
    assert champion(colours, "colours") == "1.0.0"


def test_eval_that_proves_nothing_ends_with_1_and_promote_refuses(hatrack, words):
    ran = hatrack("eval", "words", "--json", project=words)
    assert ran.code == 1
    assert json.loads(ran.out)["passed"] is False
    assert hatrack("promote", "words", project=words).code == 2
    assert champion(words, "words") is None


def test_adapt_trains_proves_and_promotes(hatrack, make_project, tiny_causal):
    settings = {"epochs": 6, "learning_rate": 0.01}
    root = make_project(
        "classify-by-text", label_rows(150), base=speaking_base(tiny_causal), r=8, alpha=16, split=[0.6, 0.1, 0.3], train=settings
    )
    ran = hatrack("adapt", project=root)
    assert ran.code == 0, ran.err
    assert "better than the base" in ran.out
    assert champion(root, "first") == "1.0.0"
    again = hatrack("adapt", "--json", project=root)
    assert again.code == 0
    assert json.loads(again.out)[0]["passed"] is True
    assert "finished already" in again.err
    assert len(Registry(Project(root)).history("first")) == 1


def test_adapt_that_proves_nothing_ends_with_1_and_leaves_the_champion(hatrack, words):
    ran = hatrack("adapt", project=words)
    assert ran.code == 1
    assert "not proven" in ran.out
    assert champion(words, "words") is None


def test_promote_with_override_and_rollback(hatrack, more):
    for version in ("1.0.0", "1.1.0"):
        assert hatrack("promote", f"words@{version}", "--override", "a test", project=more).code == 0
    ran = hatrack("rollback", "words", project=more)
    assert ran.code == 0
    assert ran.out.startswith("words@1.0.0 is champion again")
    assert champion(more, "words") == "1.0.0"
    assert hatrack("rollback", "words", project=more).code == 2


def test_versions_lists_what_is_there(hatrack, more):
    hatrack("promote", "words@1.0.0", "--override", "a test", project=more)
    ran = hatrack("versions", project=more)
    assert ran.code == 0
    assert "words@1.0.0" in ran.out
    assert "champion" in ran.out
    rows = json.loads(hatrack("versions", "words", "--json", project=more).out)
    assert [(row["version"], row["aliases"], row["report"]) for row in rows] == [("1.0.0", ["champion"], None), ("1.1.0", [], None)]


def test_versions_of_a_new_project_says_how_to_get_one(hatrack, make_project):
    root = make_project()
    assert hatrack("versions", project=root).out == "No adapter has been trained yet. Next: hatrack adapt\n"
    assert json.loads(hatrack("versions", "--json", project=root).out) == []
    assert hatrack("versions", "first", project=root).code == 2


def test_diff_shows_what_differs(hatrack, more):
    ran = hatrack("diff", "words@1.0.0", "words@1.1.0", project=more)
    assert ran.code == 0
    assert "config.options.r" in ran.out
    rows = json.loads(hatrack("diff", "words@1.0.0", "words@1.1.0", "--json", project=more).out)
    assert {"field": "config.options.r", "words@1.0.0": "4", "words@1.1.0": "2"} in rows
    assert not any(row["field"] == "base" for row in rows)
    same = hatrack("diff", "words@1.0.0", "words@1.0.0", project=more)
    assert "the same in everything" in same.out


def test_ask_prints_the_answer_and_nothing_else_on_stdout(hatrack, colours):
    ran = hatrack("ask", "colours", "tree red lamp 4 bird", project=colours)
    assert (ran.code, ran.out) == (0, "red\n")


def test_ask_with_json_says_which_version_answered(hatrack, colours):
    reply = json.loads(hatrack("ask", "colours@1.0.0", "tree blue lamp 4 bird", "--json", project=colours).out)
    assert (reply["text"], reply["adapter"], reply["version"], reply["stopped"]) == ("blue", "colours", "1.0.0", True)


def test_ask_the_base(hatrack, colours):
    reply = json.loads(hatrack("ask", "base", "tree", "--max-new-tokens", "3", "--json", project=colours).out)
    assert (reply["adapter"], reply["answer_tokens"]) == ("base", 3)
    ran = hatrack("ask", "base", "tree", "--max-new-tokens", "3", project=colours)
    assert "cut at 3 tokens" in ran.err


@pytest.mark.parametrize("ending", ["jsonl", "csv", "txt"])
def test_classify_labels_every_row_of_a_file(hatrack, colours, tmp_path, ending):
    texts = ["tree red lamp 4 bird", "stone blue cloud 7 fish"]
    path = tmp_path / f"new.{ending}"
    if ending == "jsonl":
        write_jsonl(path, [{"text": text} for text in texts])
    else:
        path.write_text("".join(line + "\n" for line in ([*(["text"] if ending == "csv" else []), *texts])))
    ran = hatrack("classify", "colours", str(path), project=colours)
    rows = [json.loads(line) for line in ran.out.splitlines()]
    assert ran.code == 0
    assert [(row["label"], row["text"]) for row in rows] == [("red", texts[0]), ("blue", texts[1])]
    assert all(0 < row["probability"] <= 1 for row in rows)


def test_classify_writes_a_file(hatrack, words, tmp_path):
    target = tmp_path / "out.jsonl"
    ran = hatrack("classify", "words", str(words / "words.jsonl"), "-o", str(target), project=words)
    assert ran.code == 0
    assert ran.out == ""
    assert [json.loads(line)["row"] for line in target.read_text().splitlines()] == list(range(1, 61))


def test_init_guesses_and_check_accepts_what_it_wrote(hatrack, tmp_path, tiny_causal):
    rows = [{"clause": row["text"], "topic": row["label"]} for row in label_rows()]
    data = write_jsonl(tmp_path / "given" / "clauses.jsonl", rows)
    root = tmp_path / "new"
    root.mkdir()
    ran = hatrack("init", str(data), "--name", "clauses", "--base", str(tiny_causal), project=root)
    assert ran.code == 0, ran.err
    assert "task classify-by-text: 'clause' is the text and 'topic' the label (3 different ones" in " ".join(ran.out.split())
    assert hatrack("check", project=root).code == 0
    assert hatrack("init", str(data), "--base", str(tiny_causal), project=root).code == 2


def test_methods_lists_what_can_be_trained(hatrack, make_project):
    project = make_project("classify")
    assert "lora" in hatrack("methods", project=project).out
    assert {method["name"] for method in json.loads(hatrack("methods", "--json", project=project).out)} >= {"lora"}
