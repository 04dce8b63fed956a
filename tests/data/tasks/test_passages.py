"""Passages end where a section, a paragraph or a sentence ends, and lose nothing."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hatrack.data.tasks.passages import beginning, passages, word_count

THREE = "One two three. Four five six seven. Eight nine."


def test_whole_sentences_are_packed_up_to_the_limit():
    assert passages(THREE, 7) == ["One two three. Four five six seven.", "Eight nine."]
    assert passages(THREE, 5) == ["One two three.", "Four five six seven.", "Eight nine."]
    assert passages(THREE, 100) == [THREE]


def test_a_paragraph_ends_a_passage_that_is_half_full():
    text = "One two three four.\n\nFive six."
    assert passages(text, 8) == ["One two three four.", "Five six."]
    assert passages(text, 9) == [text]


def test_only_a_sentence_longer_than_a_passage_is_cut_at_a_word():
    assert passages("one two three four five. Six.", 2) == ["one two", "three four", "five. Six."]


def test_nothing_gives_nothing():
    assert passages(" \n ", 10) == []


@settings(max_examples=200, deadline=None)
@given(st.text(st.sampled_from("ab. !\nC"), max_size=80), st.integers(1, 6))
def test_every_word_is_in_exactly_one_passage_and_every_passage_is_a_piece(text, limit):
    found = passages(text, limit)
    assert all(piece in text and word_count(piece) <= limit for piece in found)
    assert [word for piece in found for word in piece.split()] == text.split()


@pytest.mark.parametrize(("limit", "expected"), [(2, ""), (3, "One two three."), (6, "One two three."), (7, THREE[:35]), (99, THREE)])
def test_the_beginning_is_whole_sentences_or_nothing(limit, expected):
    assert beginning(f"  {THREE}\n", limit) == expected
