"""Variety of words, and repeated rows."""

import pytest

from hatrack.core.chat import Message
from hatrack.data.quality.diversity import RepeatCounter, distinct
from hatrack.data.quality.walk import walk
from hatrack.data.records import Example, Splits
from quality_rows import labelled


def repeats(texts, roots=None):
    counter = RepeatCounter(roots)
    walk(Splits([Example(i + 1, f"r{i}", text) for i, text in enumerate(texts)], [], []), [counter])
    return counter.repeats()


def test_distinct_n_is_different_over_all():
    found = distinct(["a rose is a rose", "Is a"])
    assert found.words == 7
    assert found.one == pytest.approx(3 / 7)  # a, rose, is
    assert found.two == pytest.approx(3 / 5)  # a rose, rose is, is a
    assert found.three == pytest.approx(1)


def test_no_words_are_no_variety():
    assert distinct([]).one == 0


def test_a_row_equal_but_for_case_and_punctuation_repeats_the_first():
    found = repeats(["Where is it?", "where is it", "where is he", "WHERE IS IT!"])
    assert found.exact == 2
    assert found.exact_share == 0.5
    assert found.near is None


def test_rows_of_one_cluster_that_are_not_equal_repeat_it_nearly():
    found = repeats(["the red lamp", "the red lamps", "the red lamp", "a fish"], roots=[0, 0, 0, 3])
    assert (found.exact, found.near) == (1, 1)
    assert found.near_share == 0.25


def test_one_question_with_two_answers_is_no_repetition():
    turns = [(Message("user", "why?"), Message("assistant", said)) for said in ("so", "because")]
    counter = RepeatCounter(None)
    walk(Splits([Example(i, f"r{i}", "why?", messages=turn) for i, turn in enumerate(turns)], [], []), [counter])
    assert counter.repeats().exact == 0


def test_clean_rows_do_not_repeat():
    rows = labelled(60)
    assert repeats([row.text for row in rows]).exact == 0
