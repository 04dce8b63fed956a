"""General items: every rule tells obeying from not obeying, every sum is right, nothing is asked that cannot be judged."""

from __future__ import annotations

import re

import pytest

from hatrack.evaluation.general.items import general_texts, instructions, sums
from hatrack.evaluation.general.rules import RULES, obeys

# rule: its value, an answer that obeys, answers that do not
CASES = {
    "words_at_least": (3, "one two three", ["one two", ""]),
    "words_at_most": (2, "one two", ["one two three", ""]),
    "words_exactly": (2, "it's fine", ["fine", "so it's fine"]),
    "sentences_exactly": (2, "It is big. It is blue!", ["It is big.", "A. B. C."]),
    "sentences_at_most": (1, "It costs 3.50 today.", ["One. Two.", ""]),
    "paragraphs_exactly": (2, "a\n\nb", ["a\nb", "a\n\nb\n\nc"]),
    "bullets_exactly": (2, "- a\n- b", ["- a", "a - b"]),
    "numbered_exactly": (2, "1. a\n2) b", ["1. a", "a 1. b 2."]),
    "lines_exactly": (2, "a\n\nb", ["a", "a\nb\nc"]),
    "holds": ("moon", "The Moon!", ["moonlight", ""]),
    "holds_times": (["bee", 2], "bee and bee", ["bee", "bees and bees"]),
    "without": ("flour", "It is bread.", ["Flour is white.", ""]),
    "without_letter": ("e", "Fish", ["bread", ""]),
    "without_commas": (True, "a and b", ["a, b", ""]),
    "without_digits": (True, "four", ["4", ""]),
    "lower_case": (True, "all small", ["All small", ""]),
    "upper_case": (True, "ALL BIG", ["ALL Big", ""]),
    "begins_with": ("perhaps", "Perhaps it rains", ["It rains perhaps"]),
    "ends_with": ("?", "Why?", ["Why? So."]),
    "in_quotes": (True, '"yes"', ['"yes', "yes"]),
    "one_of": (["yes", "no"], "Yes.", ["Yes, it is", "maybe"]),
    "json_with": (["a"], '```json\n{"a": 1}\n```', ['{"b": 1}', "a: 1", "[1]", "[" * 5000]),
    "title": (True, "<<Rivers>> run", ["<Rivers> run", "<<>>"]),
}


def test_every_rule_is_tried():
    assert set(CASES) == set(RULES)


@pytest.mark.parametrize("name", sorted(RULES))
def test_a_rule_tells_obeying_from_not_obeying(name):
    value, good, bad = CASES[name]
    assert obeys(good, {name: value})
    for answer in bad:
        assert not obeys(answer, {name: value}), answer


def test_every_instruction_has_rules_that_exist_and_that_an_empty_answer_breaks():
    assert len(instructions()) >= 40
    assert len({one.ask for one in instructions()}) == len(instructions())
    for one in instructions():
        assert set(one.rules) <= set(RULES)
        assert not obeys("", one.rules), one.ask


def test_sums_are_right_and_the_same_every_time():
    assert len(sums()) == 40
    for one in sums():
        numbers = [int(number) for number in re.findall(r"\d+", one.ask)]
        assert one.result in (sum(numbers), numbers[0] - numbers[1], numbers[0] * numbers[1])


@pytest.mark.parametrize("answer", ["14", "The answer is 14.", "5 + 9 = 14", " 14 apples\nAnd 3 more?"])
def test_a_right_number_is_seen(answer):
    assert next(one for one in [type(sums()[0])("", 14)]).solved(answer)


@pytest.mark.parametrize("answer", ["", "fourteen", "15", "14 or 15", "\n\n", "1.4", "-14"])
def test_a_wrong_one_is_not(answer):
    assert not type(sums()[0])("", 14).solved(answer)


def test_texts_are_passages_of_some_length():
    assert len(general_texts()) >= 20
    assert all(25 <= len(text.split()) <= 90 for text in general_texts())
