"""Lines that stand in many rows are found and removed, content is not."""

from __future__ import annotations

import random

import pytest

from hatrack.data.clean.boilerplate import BoilerplateCounter, remove_lines

FOOTER = "This message is confidential."


def counted(texts, **options):
    counter = BoilerplateCounter(**options)
    for text in texts:
        counter.add([text])
    return counter.lines()


def test_a_line_in_a_fifth_of_the_rows_is_boilerplate_and_in_fewer_it_is_not():
    rows = [f"Content number {i} here.\n{FOOTER}" if i % 5 == 0 else f"Content number {i} here." for i in range(100)]
    assert counted(rows) == {FOOTER: 20}
    assert counted([*rows, "one more row"]) == {}


def test_in_few_rows_five_are_needed():
    assert counted([f"row {i}\n{FOOTER}" for i in range(4)]) == {}
    assert counted([f"row {i}\n{FOOTER}" for i in range(5)]) == {FOOTER: 5}


@pytest.mark.parametrize("line", ["Kind regards,", "x" * 301])
def test_short_and_very_long_lines_are_content(line):
    assert counted([f"row {i}\n{line}" for i in range(9)]) == {}


def test_a_line_that_stands_twice_in_a_row_counts_once():
    assert counted([f"row {i}\n{FOOTER}\n  {FOOTER}" for i in range(6)]) == {FOOTER: 6}


def test_lines_of_code_are_content():
    rows = [f"See {i}:\n```\nimport numpy as np, os\n```" for i in range(9)]
    assert counted(rows) == {}
    assert remove_lines(rows[0], {"import numpy as np, os": 9}) == rows[0]


def test_removing_takes_the_line_and_nothing_else():
    known = {FOOTER: 9}
    assert remove_lines(f"Hello  there\n {FOOTER} \nbye", known) == "Hello  there\nbye"
    assert remove_lines("Hello  there\nbye\n", known) == "Hello  there\nbye\n"


def test_the_only_content_of_a_row_is_never_removed():
    assert remove_lines(f"{FOOTER}\n\n{FOOTER}", {FOOTER: 9}) == f"{FOOTER}\n\n{FOOTER}"


def test_memory_is_bounded_and_a_frequent_line_is_still_found():
    rng = random.Random(3)
    counter = BoilerplateCounter(limit=500)
    for i in range(3000):
        own = "\n".join(f"a line of its own {i} {k} {rng.random()}" for k in range(4))
        counter.add([f"{own}\n{FOOTER}" if i % 4 == 0 else own])
        assert len(counter._counts) <= 500
    assert list(counter.lines()) == [FOOTER]
    assert counter.lines()[FOOTER] <= 750
