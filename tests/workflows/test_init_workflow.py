"""The guess that ``hatrack init`` makes, and that it is written where it can be corrected."""

from __future__ import annotations

import pytest
import yaml

from conftest import label_rows, write_jsonl
from hatrack.core.config_file import read_config
from hatrack.core.errors import ConfigError, DataFileError
from hatrack.data.detect import detect
from hatrack.workflows.init import add_adapter, guess_adapter, write_project
from made_files import FIXTURES
from made_tables import loan_rows, write_csv


@pytest.mark.parametrize(
    ("columns", "task", "chosen"),
    [
        ({"text": "a b", "label": "x"}, "classify-by-text", {"text": "text", "label": "label"}),
        ({"Clause": "a b", "Category": "x"}, "classify-by-text", {"text": "Clause", "label": "Category"}),
        ({"question": "q", "answer": "a"}, "instruct", {"prompt": "question", "response": "answer"}),
        ({"instruction": "q", "output": "a"}, "instruct", {"prompt": "instruction", "response": "output"}),
    ],
)
def test_the_task_follows_from_the_names_of_the_columns(columns, task, chosen):
    adapter, words = guess_adapter([{**columns, "n": str(i)} for i in range(3)], encoder=False)
    assert (adapter["task"], adapter["columns"]) == (task, chosen)
    assert all(repr(name) in words for name in chosen.values())


@pytest.mark.parametrize(
    ("file", "layout", "task"),
    [
        ("chat.jsonl", "chat", "instruct"),
        ("alpaca.json", "alpaca", "instruct"),
        ("calls.txt", "transcript", "instruct"),
        ("hh_rlhf.jsonl", "hh-rlhf", "prefer"),
        ("guide.md", "document", "instruct"),
    ],
)
def test_a_known_layout_says_the_task_and_is_written_down(tmp_path, tiny_causal, file, layout, task):
    path, words = write_project(FIXTURES / file, tmp_path, "first", str(tiny_causal))
    adapter = read_config(tmp_path).adapters["first"]
    assert (adapter.task, adapter.data.layout) == (task, layout)
    assert (path.parent / adapter.data.train).resolve() == FIXTURES / file
    assert words.startswith(f"task {task}: ")
    assert detect(FIXTURES / file).reason in words


def test_a_single_column_of_text_is_text_to_go_on_with():
    assert guess_adapter([{"text": "one"}, {"text": "two"}], encoder=False)[0] == {"task": "complete", "columns": {"text": "text"}}


def test_a_column_whose_values_repeat_is_the_label():
    rows = [{"text": f"t {i}", "verdict": "yes" if i % 2 else "no"} for i in range(12)]
    assert guess_adapter(rows, encoder=False)[0]["columns"] == {"text": "text", "label": "verdict"}


def test_columns_that_repeat_beside_a_question_and_its_answer_are_no_labels():
    rows = [{"id": str(i), "question": f"q {i}", "answer": f"a {i}", "qtype": "cause", "source": f"s{i % 2}"} for i in range(12)]
    assert guess_adapter(rows, encoder=False)[0]["columns"] == {"prompt": "question", "response": "answer"}
    assert guess_adapter(rows, encoder=True)[0]["task"] == "classify"  # which is all that an encoder can do
    named = [{**row, "label": row["source"]} for row in rows]
    assert guess_adapter(named, encoder=False)[0]["columns"] == {"text": "question", "label": "label"}


def test_on_an_encoder_a_label_means_a_head():
    assert guess_adapter([{"text": "a", "label": "x"}], encoder=True)[0]["task"] == "classify"


def test_columns_that_say_nothing_are_refused_with_what_would():
    with pytest.raises(DataFileError) as refused:
        guess_adapter([{"a": "1", "b": str(i)} for i in range(5)], encoder=False)
    assert refused.value.given == "columns a, b"


def test_the_config_names_the_data_from_the_folder_of_the_project(tmp_path, tiny_encoder):
    data = write_jsonl(tmp_path / "there" / "rows.jsonl", label_rows())
    root = tmp_path / "here"
    root.mkdir()
    path, _ = write_project(data, root, "first", str(tiny_encoder))
    assert yaml.safe_load(path.read_text())["adapters"]["first"]["data"] == "../there/rows.jsonl"
    assert read_config(root).adapters["first"].task == "classify"


def test_a_config_that_is_there_is_never_overwritten(tmp_path, tiny_encoder):
    data = write_jsonl(tmp_path / "rows.jsonl", label_rows())
    (tmp_path / "hatrack.yaml").write_text("mine")
    with pytest.raises(ConfigError, match="already"):
        write_project(data, tmp_path, "first", str(tiny_encoder))
    assert (tmp_path / "hatrack.yaml").read_text() == "mine"


@pytest.mark.parametrize("name", ["base", "../x", "First", ""])
def test_a_name_that_cannot_be_one_is_refused_and_nothing_is_written(tmp_path, tiny_encoder, name):
    data = write_jsonl(tmp_path / "rows.jsonl", label_rows())
    with pytest.raises(ConfigError):
        write_project(data, tmp_path, name, str(tiny_encoder))
    assert not (tmp_path / "hatrack.yaml").exists()


def test_the_upper_third_of_a_causal_base_is_adapted(tmp_path, tiny_causal, tiny_encoder):
    data = write_jsonl(tmp_path / "rows.jsonl", label_rows(20))
    for base, layers in ((tiny_causal, 1), (tiny_encoder, None)):
        folder = tmp_path / base.name
        folder.mkdir()
        write_project(data, folder, "first", str(base))
        assert yaml.safe_load((folder / "hatrack.yaml").read_text())["adapters"]["first"].get("last_layers") == layers


def test_a_file_of_faults_is_refused_with_the_first_of_them(tmp_path, tiny_causal):
    data = tmp_path / "rows.jsonl"
    data.write_text('{"a": \n[]\n')
    with pytest.raises(DataFileError, match="none of the first 2 rows") as refused:
        write_project(data, tmp_path, "first", str(tiny_causal))
    assert "row 1: not valid JSON" in refused.value.given
    assert "row 2: a JSON object is needed" in refused.value.given
    assert not (tmp_path / "hatrack.yaml").exists()


def test_another_adapter_is_added_and_what_was_there_stays(tmp_path, tiny_encoder):
    write_project(write_jsonl(tmp_path / "rows.jsonl", label_rows()), tmp_path, "first", str(tiny_encoder))
    before = yaml.safe_load((tmp_path / "hatrack.yaml").read_text())
    path, words = add_adapter(write_jsonl(tmp_path / "more.jsonl", label_rows(30, ("one", "two"))), tmp_path, "second")
    after = yaml.safe_load(path.read_text())
    assert after["adapters"]["first"] == before["adapters"]["first"]
    assert after["adapters"]["second"]["data"] == "more.jsonl"
    assert "2 different ones" in words
    with pytest.raises(ConfigError, match="an adapter called second already"):
        add_adapter(tmp_path / "more.jsonl", tmp_path, "second")
    assert yaml.safe_load(path.read_text()) == after


def test_comments_are_never_lost_and_the_lines_to_add_are_told(tmp_path, tiny_encoder):
    write_project(write_jsonl(tmp_path / "rows.jsonl", label_rows()), tmp_path, "first", str(tiny_encoder))
    path = tmp_path / "hatrack.yaml"
    path.write_text(path.read_text() + "# chosen in May\n")
    before = path.read_text()
    with pytest.raises(ConfigError, match="has comments") as refused:
        add_adapter(tmp_path / "rows.jsonl", tmp_path, "second")
    assert "    second:\n      data: rows.jsonl" in refused.value.fix
    assert path.read_text() == before


def test_a_table_is_a_file_and_the_column_to_predict(tmp_path, hatrack):
    (tmp_path / "data").mkdir()
    write_csv(tmp_path / "data" / "loans.csv", loan_rows(40))
    ran = hatrack("init", str(tmp_path / "data" / "loans.csv"), "--name", "loans", "--table", "late", project=tmp_path)
    assert (ran.code, "40 rows, 6 columns" in ran.out, "hatrack table train loans" in ran.out) == (0, True, True), ran
    config = read_config(tmp_path)
    assert (config.tables["loans"].data.train, config.tables["loans"].target) == ("data/loans.csv", "late")
    write_jsonl(tmp_path / "rows.jsonl", label_rows(30))
    assert hatrack("init", str(tmp_path / "rows.jsonl"), "--table", "label", project=tmp_path).code == 2, "--add is not said"
    ran = hatrack("init", str(tmp_path / "rows.jsonl"), "--name", "rows", "--table", "label", "--add", project=tmp_path)
    assert ran.code == 0, ran
    assert list(read_config(tmp_path).tables) == ["loans", "rows"]
