"""``hatrack prepare``: what it writes, what it shows, what it refuses; nothing half-written is left."""

from __future__ import annotations

import json

import pytest

from conftest import label_rows
from hatrack.core.config import AdapterConfig
from hatrack.data.manifest import DataManifest
from hatrack.data.prepare import prepare

MAIL = "jane.miller@corp-mail.com"
PAIRS = [{"prompt": f"what is {i}?", "response": f"it is {i}"} for i in range(150)]


def spoiled():
    rows = label_rows()
    rows[3]["text"] += f" write to {MAIL}"
    rows[4]["text"] += " cafÃ©"
    return rows


def written(root, name="first"):
    return {file.name: file.read_text(encoding="utf-8") for file in (root / "prepared" / name).iterdir()}


def test_it_writes_the_splits_and_the_record_and_shows_every_step(hatrack, make_project):
    root = make_project(rows=spoiled())
    ran = hatrack("prepare", project=root)
    assert ran.code == 0
    files = written(root)
    assert set(files) == {"train.jsonl", "validation.jsonl", "test.jsonl", "data-manifest.json"}
    rows = [json.loads(line) for part in ("train", "validation", "test") for line in files[f"{part}.jsonl"].split("\n") if line]
    assert len(rows) == 60
    assert any("café" in row["text"] for row in rows)
    manifest = DataManifest.model_validate_json(files["data-manifest.json"])
    assert {name: split.rows for name, split in manifest.splits.items()} == {
        name: files[f"{name}.jsonl"].count("\n") for name in ("train", "validation", "test")
    }
    for words in ("read", "60 rows, 0 of them invalid", "unicode 1", "EMAIL_ADDRESS 1", "duplicates", "digest", "data-manifest.json"):
        assert words in ran.out


def test_what_it_writes_is_what_train_would_train_on(hatrack, make_project, tmp_path):
    root = make_project(rows=spoiled())
    hatrack("prepare", project=root)
    again = tmp_path / "again"
    again.mkdir()
    for part in ("train", "validation", "test"):
        (again / f"{part}.jsonl").write_text(written(root)[f"{part}.jsonl"], encoding="utf-8")
    files = {part: f"{part}.jsonl" for part in ("train", "validation", "test")}
    prepared = prepare(AdapterConfig.model_validate({"data": files, "task": "classify"}), again)
    assert prepared.manifest.digest == DataManifest.model_validate_json(written(root)["data-manifest.json"]).digest


def test_the_record_is_the_same_when_it_is_written_again(hatrack, make_project):
    root = make_project(rows=spoiled())
    hatrack("prepare", project=root)
    first = written(root)
    ran = hatrack("prepare", project=root)
    assert written(root) == first
    assert "5 of 5 steps, not repeated" in ran.out


def test_json_is_the_manifest_and_the_files(hatrack, make_project):
    root = make_project()
    (found,) = json.loads(hatrack("prepare", "--json", project=root).out)
    assert found["adapter"] == "first"
    assert found["kind"] == "hatrack.data/1"
    assert [step["step"] for step in found["steps"]] == ["read", "clean", "pii", "duplicates", "split"]
    assert str(root / "prepared" / "first" / "train.jsonl") in found["files"]


def test_rows_that_were_left_out_lie_beside_the_splits(hatrack, make_project):
    root = make_project(rows=[*label_rows(), {"id": "b", "text": "", "label": "red"}], checks={"max_rejected": 0.1})
    hatrack("prepare", project=root)
    assert json.loads(written(root)["rejects.jsonl"])["row"] == 61


def test_out_and_to_choose_place_and_form(hatrack, make_project, tmp_path):
    root = make_project(task="instruct", rows=PAIRS)
    ran = hatrack("prepare", "--to", "openai", "--out", str(tmp_path / "elsewhere"), project=root)
    assert ran.code == 0, ran.err
    line = (tmp_path / "elsewhere" / "first" / "train.jsonl").read_text().split("\n")[0]
    assert [turn["role"] for turn in json.loads(line)["messages"]] == ["user", "assistant"]


def test_a_form_that_cannot_hold_the_rows_leaves_what_was_there(hatrack, make_project):
    root = make_project(rows=label_rows(30))
    hatrack("prepare", project=root)
    first = written(root)
    ran = hatrack("prepare", "--to", "openai", project=root)  # three test rows are too few for it
    assert ran.code == 2
    assert "at least 10" in ran.err
    assert written(root) == first
    assert not list(root.rglob(".staging-*"))


def test_a_folder_of_other_things_is_not_replaced(hatrack, make_project):
    root = make_project()
    mine = root / "prepared" / "first"
    mine.mkdir(parents=True)
    (mine / "thesis.txt").write_text("years of work")
    ran = hatrack("prepare", project=root)
    assert ran.code == 2
    assert "something else" in ran.err
    assert (mine / "thesis.txt").read_text() == "years of work"


def test_the_preview_shows_no_value_and_writes_nothing(hatrack, make_project):
    root = make_project(rows=spoiled())
    ran = hatrack("prepare", "--preview-pii", "2", project=root)
    assert ran.code == 0
    assert "EMAIL_ADDRESS" in ran.out
    assert "<EMAIL_ADDRESS>" in ran.out
    assert f"({len(MAIL)} characters)" in ran.out
    assert MAIL not in ran.out + ran.err
    assert not (root / "prepared").exists()


def test_personal_data_that_is_masked_is_nowhere_in_what_is_written_or_said(hatrack, make_project):
    root = make_project(rows=spoiled(), prepare={"pii": {"mode": "mask"}})
    ran = hatrack("prepare", project=root)
    assert "<EMAIL_ADDRESS>" in "".join(written(root).values())
    assert MAIL not in ran.out + ran.err + "".join(written(root).values())


@pytest.mark.parametrize("name", ["pdf", "parquet2"])
def test_an_unknown_form_is_refused_with_the_known_ones(hatrack, make_project, name):
    ran = hatrack("prepare", "--to", name, project=make_project())
    assert ran.code == 2
    assert "alpaca, chat, jsonl, openai" in ran.err
