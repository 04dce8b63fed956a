"""The form of answers."""

import pytest

from hatrack.data.quality.shapes import ShapeCounter, ending_of, shape_of
from hatrack.data.quality.walk import walk
from quality_rows import answered, labelled, relabel, spread_out


def form(rows, *, labels=False):
    counter = ShapeCounter(str, labels=labels)
    return counter.answer_format(walk(spread_out(rows), [counter]))


def habit(found, trait):
    return next(one for one in found.habits if one.trait == trait)


@pytest.mark.parametrize(
    ("text", "shape"),
    [
        ('{"a": 1}', "JSON object"),
        ("[1, 2]", "JSON array"),
        ('{"a": 1,}', "broken JSON"),
        ("[sic]", "one word"),
        ("42", "number"),
        ("-1,024.5 %", "number"),
        ("€ 30", "number"),
        ("Yes.", "yes or no"),
        ("false", "yes or no"),
        ("paris", "one word"),
        ("New York", "one line"),
        ("a line.\nanother.", "several lines"),
        ("Buy:\n- milk\n- eggs", "list"),
        ("1. first\n2. second", "list"),
        ("# Title\ntext", "Markdown"),
        ("see **this**", "Markdown"),
        ("```\ncode\n```", "Markdown"),
        ("", "empty"),
    ],
)
def test_a_shape_is_told_from_the_text(text, shape):
    assert shape_of(text) == shape


@pytest.mark.parametrize(
    ("text", "ending"),
    [("done.", "final full stop"), ("はい。", "final full stop"), ("what?", "another final mark"), ("done", "no final mark")],
)
def test_an_ending_is_told_from_the_last_mark(text, ending):
    assert ending_of(text) == ending


def test_the_rows_that_break_a_form_of_nine_in_ten_are_named():
    answers = [f'{{"n": {i}}}' for i in range(95)] + ["sorry, no idea"] * 5
    shape = habit(form(answered(answers)), "shape")
    assert shape.dominant == "JSON object"
    assert shape.odd == 5
    assert [(one.found, one.answer, one.rows) for one in shape.rows] == [("one line", "sorry, no idea", 5)]
    assert str(shape.rows[0].place) == "train row 96"


def test_below_nine_in_ten_no_form_is_meant():
    answers = [f'{{"n": {i}}}' for i in range(89)] + ["sorry, no idea"] * 11
    shape = habit(form(answered(answers)), "shape")
    assert shape.dominant is None
    assert shape.odd == 0
    assert shape.rows == ()


def test_a_label_that_is_written_with_a_capital_falls_out_of_line():
    rows = relabel(labelled(300), {0: "Weather", 3: "Weather"})
    found = form(rows, labels=True)
    letter = habit(found, "first letter")
    assert (letter.dominant, letter.odd) == ("small first letter", 2)
    assert [(one.answer, one.rows) for one in letter.rows] == [("Weather", 2)]


def test_full_stops_that_are_missing_are_counted():
    found = form(answered([f"it is number {i}." for i in range(98)] + ["it is so", "it is not"]))
    assert habit(found, "ending").odd == 2


def test_white_space_around_answers_is_counted_with_its_rows():
    found = form(answered(["fine"] * 40 + [" fine", "fine\n"]))
    assert found.spaced == 2
    assert [str(place) for place in found.spaced_rows] == ["train row 41", "train row 42"]


def test_answers_that_are_a_fixed_set_are_held_against_each_other():
    assert form(answered(["refund", "bill"] * 30 + ["Refunds"] * 3)).alike == (("Refunds", "refund"),)
    assert form(answered([f"answer number {i}" for i in range(60)])).alike == ()


def test_labels_of_one_word_and_of_several_are_one_form():
    found = form(relabel(labelled(300), dict.fromkeys(range(0, 30, 3), "bad weather")), labels=True)
    assert habit(found, "shape").odd == 0


def test_clean_labels_give_no_finding():
    found = form(labelled(120), labels=True)
    assert [one.odd for one in found.habits] == [0, 0, 0]
    assert found.spaced == 0
