"""White space is folded where it means nothing, and left where code or a table needs it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hatrack.data.clean.whitespace import fold_whitespace

CODE = "Run this:\n\n```python\ndef f():\n    return  1   # aligned\n\n\n\nprint( 1 )   \n```\n\nDone."


@pytest.mark.parametrize(
    ("text", "tidy"),
    [
        ("  one   two  ", "one two"),
        ("one \t two", "one\ttwo"),
        ("a line   \nanother\u00a0\u00a0line\u3000", "a line\nanother line"),
        ("\n\n\none\n\n\n\ntwo\n\n", "one\n\ntwo"),
        ("one\n \n\t\n\ntwo", "one\n\ntwo"),
        ("", ""),
        (" \n \t\n", ""),
    ],
)
def test_runs_line_ends_and_surplus_blank_lines_go(text, tidy):
    assert fold_whitespace(text) == tidy


@pytest.mark.parametrize(
    "text", [CODE, "10\u00a0000\u202f€ : oui", "- item\n    indented   code\n\ttab  tab", "~~~\n\n\n\nx\n~~~", "``` a  b"]
)
def test_code_indentation_and_single_no_break_spaces_stay(text):
    assert fold_whitespace(text) == text


def test_text_around_code_is_folded_all_the_same():
    assert fold_whitespace("a  b\n\n\n" + CODE + "\n\n\nc  d\n") == "a b\n\n" + CODE + "\n\nc d"


def test_a_fence_that_is_never_closed_is_code_to_the_end():
    assert fold_whitespace("a  b\n```\nx  y  \n\n\n") == "a b\n```\nx  y  \n\n\n"


@settings(max_examples=300, deadline=None)
@given(st.text(st.sampled_from("ab \t\n`~\u00a0."), max_size=40))
def test_words_stay_and_nothing_untidy_is_left_outside_code(text):
    tidy = fold_whitespace(text)
    assert tidy.split() == text.split()
    if "```" not in text and "~~~" not in text:
        assert "\n\n\n" not in tidy
        assert not any(line != line.rstrip() for line in tidy.split("\n"))
