"""One file through read, clean and pii: what is recorded, what is left out, what is not repeated."""

from __future__ import annotations

import json
import re
from collections import defaultdict

import pytest

from conftest import label_rows, write_jsonl
from hatrack.core.config import AdapterConfig
from hatrack.core.errors import CheckFailed, HatrackError, RowErrors
from hatrack.data.prepare import prepare

MAIL = "jane.miller@corp-mail.com"
CARD = "4111 1111 1111 1111"
KINDS = ["title-to-section", "heading-question"]


@pytest.fixture
def prep(tmp_path):
    def run(rows, /, *, rejects=None, files=None, **keys):
        for name, content in {"train.jsonl": rows, **(files or {})}.items():
            write_jsonl(tmp_path / name, content)
        config = AdapterConfig.model_validate({"data": "train.jsonl", "task": "classify", **keys})
        return prepare(config, tmp_path, rejects)

    return run


def rows(count=60, **changes):
    """Rows with other texts at the given row numbers (from 1)."""
    made = label_rows(count)
    for number, text in changes.get("texts", {}).items():
        made[number - 1]["text"] = text
    return made


def all_texts(prepared):
    return [example.text for _, part in prepared.splits.items() for example in part]


def step(prepared, name):
    return next(step for step in prepared.manifest.steps if step.step == name)


def test_the_manifest_names_the_file_how_it_was_read_and_every_step(prep):
    prepared = prep(rows(), prepare={"licence": "CC-BY-4.0"})
    source = prepared.manifest.sources[0]
    assert (source.part, source.file, source.format, source.layout) == ("train", "train.jsonl", "jsonl", "columns")
    assert "jsonl" in source.reason
    assert [one.step for one in prepared.manifest.steps] == ["read", "clean", "pii", "duplicates", "split"]
    assert prepared.manifest.licence == "CC-BY-4.0"
    assert sum(prepared.manifest.labels.values()) == 60
    assert prepared.manifest.digest == prepared.record.digest


def test_the_reason_says_whether_somebody_asked_for_the_layout(prep):
    assert prep(rows()).manifest.sources[0].reason.endswith("; columns as `columns:` names them")
    asked = prep(rows(), data={"train": "train.jsonl", "layout": "columns"})
    assert asked.manifest.sources[0].reason.endswith("; the columns layout, as asked for")


def test_the_same_input_gives_the_same_manifest_wherever_it_lies(prep, tmp_path_factory):
    first = prep(rows())
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    write_jsonl(elsewhere / "train.jsonl", rows())
    second = prepare(AdapterConfig.model_validate({"data": "train.jsonl", "task": "classify"}), elsewhere)
    assert first.manifest == second.manifest
    assert first.manifest.identity == second.manifest.identity


def test_nothing_is_repeated_when_nothing_changed_and_only_what_follows_when_something_did(prep):
    assert prep(rows()).repeated == 5
    assert prep(rows()).repeated == 0
    assert prep(rows(), prepare={"pii": {"mode": "mask"}}).repeated == 4  # clean masks its examples by the same policy
    assert prep(rows(), checks={"near_duplicates": 0.8}).repeated == 2
    assert prep(rows(), train={"seed": 2}).repeated == 1
    assert prep(rows(59)).repeated == 5


def test_rows_read_from_disk_again_are_the_same(prep):
    first, second = prep(rows()), prep(rows())
    assert [list(part) for _, part in first.splits.items()] == [list(part) for _, part in second.splits.items()]
    assert (first.labels, first.notes, first.record) == (second.labels, second.notes, second.record)


def test_mojibake_is_repaired_counted_and_shown(prep):
    prepared = prep(rows(texts={3: "a red cafÃ© far away"}))
    assert "a red café far away" in all_texts(prepared)
    rule = next(rule for rule in step(prepared, "clean").counts["rules"] if rule["rule"] == "unicode")
    assert rule["rows"] == 1
    assert rule["examples"][0]["row"] == 3
    assert prepared.notes == ("train.jsonl: repaired unicode in 1 rows",)


def test_rules_that_are_off_change_nothing(prep):
    text = "a red cafÃ© far away"
    assert text in all_texts(prep(rows(texts={3: text}), prepare={"clean": {"unicode": False}}))


def test_personal_data_is_counted_and_kept_by_default(prep):
    prepared = prep(rows(texts={3: f"red, write to {MAIL}"}))
    assert f"red, write to {MAIL}" in all_texts(prepared)
    assert prepared.parts["train"].pii == {"EMAIL_ADDRESS": 1}
    assert any("EMAIL_ADDRESS in 1 rows; kept as they are" in note for note in prepared.notes)


@pytest.mark.parametrize("mode", ["mask", "pseudonym", "drop"])
def test_personal_data_does_not_reach_the_splits_the_record_or_the_rejects(prep, tmp_path, mode):
    rejects = tmp_path / "rejects.jsonl"
    prepared = prep(
        rows(texts={3: f"red, write to {MAIL} cafÃ©", 5: f"blue card {CARD}"}), prepare={"pii": {"mode": mode}}, rejects=rejects
    )
    seen = "\n".join([*all_texts(prepared), *prepared.notes, prepared.manifest.model_dump_json()])
    seen += rejects.read_text() if rejects.exists() else ""
    assert MAIL not in seen
    assert CARD not in seen
    assert len(all_texts(prepared)) == (58 if mode == "drop" else 60)
    assert prepared.manifest.rejected == (2 if mode == "drop" else 0)


@pytest.mark.parametrize("mode", ["report", "mask"])
def test_an_invalid_row_is_listed_without_personal_data(prep, tmp_path, mode):
    rejects = tmp_path / "rejects.jsonl"
    spoilt = [
        *rows(),
        {"id": "a", "text": f"red, write to {MAIL}", "label": [MAIL]},
        {"id": "b", "text": "x" * 225 + f" {CARD}", "label": ""},
    ]
    prep(spoilt, prepare={"pii": {"mode": mode}}, checks={"max_rejected": 0.1}, rejects=rejects)
    first, second = (json.loads(line) for line in rejects.read_text().splitlines())
    assert first["reason"] == "column 'label' holds ['<EMAIL_ADDRESS>'], a label is needed"
    assert first["excerpt"] == "id='a' text='red, write to <EMAIL_ADDRESS>' label=['<EMAIL_ADDRESS>']"
    assert CARD[:6] not in json.dumps(second)
    with pytest.raises(RowErrors) as refused:
        prep(spoilt, prepare={"pii": {"mode": mode}}, rejects=rejects)
    assert "<EMAIL_ADDRESS>" in str(refused.value)
    assert MAIL not in str(refused.value) + rejects.read_text()


def test_rejects_follow_the_policy_also_where_the_file_was_read_before(prep, tmp_path):
    rejects = tmp_path / "rejects.jsonl"
    spoilt = [*rows(), {"id": "a", "text": f"write to {MAIL}", "label": ""}]
    prep(spoilt, prepare={"pii": {"mode": "off"}}, checks={"max_rejected": 0.1}, rejects=rejects)
    assert MAIL in rejects.read_text()
    prep(spoilt, checks={"max_rejected": 0.1}, rejects=rejects)
    assert MAIL not in rejects.read_text()


def test_leaks_conflicts_and_repeated_ids_are_shown_without_personal_data(prep):
    torn = rows(texts={3: f"red {MAIL}", 4: f"red {MAIL}"})
    with pytest.raises(HatrackError, match="same text and different labels") as refused:
        prep(torn, checks={"max_conflicts": 0.0})
    assert MAIL not in str(refused.value)
    noted = prep(torn, checks={"max_conflicts": 0.5})
    assert any("same text and different labels" in note for note in noted.notes)
    assert MAIL not in "".join(noted.notes) + noted.manifest.model_dump_json()
    leak = rows(texts={3: f"red {MAIL}"})
    with pytest.raises(HatrackError, match="also stand in") as refused:
        prep(leak, files={"test.jsonl": [leak[2]]}, data={"train": "train.jsonl", "test": "test.jsonl"})
    assert "<EMAIL_ADDRESS>" in str(refused.value)
    with pytest.raises(RowErrors, match="repeat an id") as refused:
        prep([*rows(), {"id": MAIL, "text": "a", "label": "red"}, {"id": MAIL, "text": "b", "label": "red"}])
    assert MAIL not in str(refused.value)


@pytest.mark.parametrize("mode", ["report", "mask"])
def test_examples_of_cleaning_hold_no_part_of_a_value(prep, mode):
    texts = {
        3: "caf\u00c3\u00a9 " + "x" * 55 + f" {MAIL}",  # where the example is cut
        4: "write to jane.mil\u200bler@corp-mail.com",  # a value only once it is cleaned
        5: f"{CARD} " + "x" * 11 + " caf\u00c3\u00a9",
        7: "caf\u00c3\u00a9 jane.mil\u200bler@corp-mail.com",  # what one rule leaves, another one cleans
    }
    cleaned = step(prep(rows(texts={**texts, 6: "caf\u00c3\u00a9 and tea"}), prepare={"pii": {"mode": mode}}), "clean").counts["rules"]
    assert {rule["rule"]: rule["rows"] for rule in cleaned if rule["rows"]} == {"unicode": 4, "control": 2}
    shown = [example["after"] for rule in cleaned for example in rule["examples"]]
    assert shown == ["caf\u00e9 and tea"]
    assert not [part for part in ("jane", "corp", "8270", "4248") if part in json.dumps(cleaned)]


def test_a_dropped_row_is_listed_with_its_types(prep, tmp_path):
    rejects = tmp_path / "rejects.jsonl"
    prep(rows(texts={3: f"red, write to {MAIL}"}), prepare={"pii": {"mode": "drop"}}, rejects=rejects)
    line = json.loads(rejects.read_text())
    assert (line["row"], line["excerpt"]) == (3, "")
    assert "EMAIL_ADDRESS" in line["reason"]


def test_answers_and_worse_answers_are_redacted_with_the_prompt(prep):
    pairs = [{"prompt": f"who {i}?", "chosen": f"ask {MAIL}", "rejected": f"mail {MAIL} now {i}"} for i in range(40)]
    prepared = prep(pairs, task="prefer", prepare={"pii": {"mode": "mask"}})
    example = prepared.splits.train[0]
    assert example.messages[-1].content == "ask <EMAIL_ADDRESS>"
    assert example.rejected.startswith("mail <EMAIL_ADDRESS> now")


def test_all_rows_of_one_document_have_the_same_stand_in(tmp_path):
    for name in "abcdefghijkl":
        sections = "".join(
            f"# {name} part {n}\n\nThe {name} lamp {n} is sold by {name}@kolo.org since {n} years. It is good.\n\n" for n in range(4)
        )
        (tmp_path / "docs").mkdir(exist_ok=True)
        (tmp_path / "docs" / f"{name}.md").write_text(sections)
    config = {"data": "docs", "task": "instruct", "prepare": {"pii": {"mode": "pseudonym"}, "documents": {"kinds": KINDS}}}
    prepared = prepare(AdapterConfig.model_validate(config), tmp_path)
    found = defaultdict(set)
    for _, part in prepared.splits.items():
        for example in part:
            found[example.group] |= set(re.findall(r"\S+@\S+", example.messages[-1].content))
    assert len(found) == 12
    assert all(len(names) == 1 for names in found.values())
    assert len(set().union(*found.values())) > 6  # and other documents have other ones


def test_rows_that_a_rule_leaves_out_do_not_count_as_invalid(prep):
    few = rows(texts=dict.fromkeys(range(1, 11), "x"))
    prepared = prep(few, prepare={"clean": {"min_characters": 5}})
    assert len(all_texts(prepared)) == 50
    assert "10 rows left out by the rules under prepare" in prepared.notes


def test_F08_invalid_rows_above_the_limit_are_refused_also_the_second_time(prep):
    bad = [*rows(), *({"id": f"b{i}", "text": "", "label": "red"} for i in range(20))]
    for _ in range(2):
        with pytest.raises(RowErrors, match=r"20 of 80 rows") as refused:
            prep(bad)
        assert "... and 15 more" in str(refused.value)


def test_exact_duplicates_are_left_out_when_asked_and_kept_when_their_labels_differ(prep):
    made = rows(60)
    made[10] = {**made[0], "id": "again", "text": made[0]["text"].upper() + "!"}
    made[11] = {**made[1], "id": "torn", "label": next(label for label in ("red", "blue") if label != made[1]["label"])}
    prepared = prep(made, prepare={"duplicates": {"exact": "drop"}})
    assert len(all_texts(prepared)) == 59
    assert "1 of 60 rows left out as duplicates (prepare.duplicates)" in prepared.notes
    assert {example.id for _, part in prepared.splits.items() for example in part} >= {"torn", made[0]["id"], made[1]["id"]}


def test_near_duplicates_are_left_out_when_asked(prep):
    made = rows(60)
    long = "the red lamp of the old captain stood on the third shelf behind the blue door of the house by the sea"
    made[20]["text"], made[21]["text"] = long, long + " again"
    made[20]["label"] = made[21]["label"] = "red"
    assert len(all_texts(prep(made, prepare={"duplicates": {"near": "drop"}}))) == 59
    assert len(all_texts(prep(made))) == 60


def test_a_training_row_that_repeats_an_evaluation_file_is_refused(prep):
    held_out = [{"id": "e1", "text": rows()[4]["text"].upper(), "label": "red"}]
    with pytest.raises(CheckFailed, match=r"exam\.jsonl row 1"):
        prep(rows(), files={"exam.jsonl": held_out}, prepare={"duplicates": {"against": ["exam.jsonl"]}})


def test_a_repeated_id_is_refused_with_both_rows(prep):
    made = rows(40)
    made[7]["id"] = made[3]["id"]
    with pytest.raises(RowErrors, match="repeat an id") as refused:
        prep(made)
    assert "row 8: id" in str(refused.value)
    assert "row 4" in str(refused.value)
