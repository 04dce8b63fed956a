"""Advice: each rule speaks at its threshold and is silent below it."""

import random
from dataclasses import replace

import pytest

from hatrack.data.quality.advice import FEW_ROWS, GOOD_ROWS, IMBALANCE, LABEL_ERRORS, NEAR_DUPLICATES, TRUNCATED
from hatrack.data.quality.overlap import overlap
from hatrack.data.quality.report import Evidence, Refusal
from hatrack.data.records import Splits
from quality_rows import TOPICS, answered, judged, labelled, relabel, spread_out


def advice(splits, task="classify", evidence=None, **keys):
    return {one.what: one for one in judged(splits, task, evidence, **keys).report.advice}


def test_clean_data_needs_none():
    assert advice(spread_out(labelled(300))) == {}


def test_the_thresholds_are_those_of_their_sources():
    assert (FEW_ROWS, GOOD_ROWS, IMBALANCE, LABEL_ERRORS, NEAR_DUPLICATES, TRUNCATED) == (100, 1_000, 20.0, 0.033, 0.10, 0.01)


def test_99_rows_are_few_and_100_are_not():
    rows, rest = labelled(160), labelled(60, seed=1)
    held_out = rest[:30], rest[30:]
    assert "there are few training rows" in advice(Splits(rows[:99], *held_out))
    assert "there are few training rows" not in advice(Splits(rows[:100], *held_out))


def test_labels_that_are_21_to_1_are_uneven_and_20_to_1_are_not():
    weather = [replace(row, label="weather") for row in labelled(420)]
    kitchen = [replace(row, label="kitchen") for row in labelled(20, seed=5)]
    held_out = [*weather[:1], *kitchen[:1]]
    assert "the labels are very uneven" in advice(Splits([*weather, *kitchen[:19]], held_out, held_out))
    assert "the labels are very uneven" not in advice(Splits([*weather[:400], *kitchen], held_out, held_out))


def test_a_thin_label_and_one_that_is_not_tested_are_named():
    rows = relabel(labelled(300), {0: "rare", 10: "rare"})
    found = advice(spread_out(rows))
    assert found["some labels are thin"].because == "rare has fewer than 10 training rows"
    assert "rare" in found["labels are missing from the test rows"].because
    assert "rare" in found["labels are missing from the validation rows"].because


def test_labels_that_look_like_one_are_named():
    found = advice(spread_out(relabel(labelled(300), dict.fromkeys(range(0, 300, 9), "Weathers"))))
    assert found["some labels look like one"].because == "Weathers and weather"


@pytest.mark.parametrize(("count", "severity"), [(3, "note"), (30, "serious")])
def test_label_errors_are_serious_above_the_usual_share(count, severity):
    rows, names = labelled(300), list(TOPICS)
    wrong = {i: names[(names.index(rows[i].label) + 1 + i % 2) % 3] for i in random.Random(0).sample(range(300), count)}
    found = [one for what, one in advice(spread_out(relabel(rows, wrong))).items() if "probably wrong" in what]
    assert [one.severity for one in found] == [severity]


def test_labels_that_nothing_tells_apart_are_not_called_wrong():
    rows = relabel(labelled(300), {i: ("weather", "kitchen", "railway")[i * 7919 % 11 % 3] for i in range(300)})
    found = advice(spread_out(rows))
    assert "the labels are hard to tell from the texts" in found
    assert not any("probably wrong" in what for what in found)


def test_a_contradiction_is_a_warning_and_many_are_serious():
    def torn(count):
        rows = labelled(300)
        again = [replace(row, row=1000 + i, label="railway" if row.label != "railway" else "weather") for i, row in enumerate(rows[:count])]
        return advice(spread_out([*rows, *again]))["texts that are alike carry different labels"]

    assert torn(1).severity == "warning"
    assert torn(30).severity == "serious"


def test_rows_that_are_cut_are_serious_above_one_in_a_hundred():
    rows = labelled(300)
    longer = [replace(row, text=row.text + " more" * 20) if i < 30 and i % 10 < 8 else row for i, row in enumerate(rows)]
    found = advice(spread_out(longer), max_length=20)["rows are longer than max_length and are cut"]
    assert found.severity == "serious"
    assert found.because.startswith("24 rows, 10.0%")
    assert "set train.max_length to 28" in found.do
    assert "rows are longer than max_length and are cut" not in advice(spread_out(longer), max_length=28)


def test_near_duplicates_above_a_tenth_are_a_warning():
    rows = spread_out(labelled(300))
    few, many = [[*range(300 - count), *range(count)] for count in (30, 31)]
    assert "many rows repeat another" not in advice(rows, evidence=Evidence(roots=few))
    assert advice(rows, evidence=Evidence(roots=many))["many rows repeat another"].because.startswith(
        "10.3% of the rows: 0 exactly, 31 nearly"
    )


def test_an_answer_out_of_line_is_a_warning_and_space_around_one_a_note():
    rows = answered([f'{{"n": {i}}}' for i in range(190)] + ["sorry, no idea"] * 4 + [' {"n": 1}'])
    found = advice(spread_out(rows), "instruct")
    assert found["some answers have another form than the rest"].severity == "warning"
    assert found["answers begin or end with white space"].severity == "note"


def test_texts_with_nothing_in_them_and_texts_of_extreme_length_are_named():
    rows = labelled(300)
    rows[0], rows[1] = replace(rows[0], text="--"), replace(rows[1], text=rows[1].text + " moren" * 200)
    found = advice(spread_out(rows))
    assert "1 text" in found["some texts are next to empty"].because
    assert "208 words" in found["some texts are far longer than the rest"].because


def test_what_other_rooms_hand_in_is_judged_too():
    rows = labelled(300)
    speaks = lambda text: ("fr" if "mora" in text else "en", 0.99)  # noqa: E731
    few = [row for i, row in enumerate(rows) if "mora" not in row.text or i < 30]
    shared = overlap("bench.jsonl", rows, rows, [(0, 0)], str)
    found = advice(spread_out(few), evidence=Evidence(language=speaks, pii={"EMAIL": 3}, overlap=shared), rejected=2)
    assert found["a few texts are in another language"].severity == "note"
    assert found["rows hold personal data"].because == "EMAIL in 3 rows"
    assert found["training rows also stand in bench.jsonl"].severity == "serious"
    assert found["rows were left out"].because == "2 rows could not be used"


def test_the_most_serious_comes_first_and_a_refusal_before_all():
    rows = relabel(labelled(300), {0: "rare"})
    refusal = Refusal(what="nothing would be trained", given="", allowed="", do="write answers")
    found = judged(spread_out(rows), refusal=refusal).report.advice
    order = ["serious", "warning", "note"]
    assert [order.index(one.severity) for one in found] == sorted(order.index(one.severity) for one in found)
    assert (found[0].because, found[0].do) == ("nothing would be trained", "write answers")


def test_every_piece_of_advice_says_what_because_of_what_number_and_what_to_do():
    rows = relabel(labelled(60), dict.fromkeys(range(0, 60, 7), "Weathers"))
    for one in judged(spread_out(rows), max_length=8).report.advice:
        assert one.what
        assert one.do
        assert any(c.isdigit() for c in one.because) or " and " in one.because
