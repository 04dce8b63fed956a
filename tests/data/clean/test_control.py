"""Invisible characters go, those that writing needs stay."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hatrack.data.clean.control import remove_control

REMOVED = [
    ("a\x00b\x07c\x7fd\x9fe", "abcde"),
    ("\ufeffstart and \ufeffmiddle", "start and middle"),
    ("ad\u200bmin pass\u2060word a\u200db a\u200cb", "admin password ab ab"),
    ("ex\u00adam\u00adple", "example"),
    ("the herds shrink\u00ad ing, the herds shrink\u00ad\ning", "the herds shrinking, the herds shrinking"),
    ("\x1b[1;31mred\x1b[0m and \x1b]0;title\x07text", "red and text"),
    ("access = '\u202e\u2066user\u2069 \u2066admin\u2069'\u202c", "access = 'user admin'"),  # Trojan Source
    ("plain\u200e English\u200f", "plain English"),
    ("hidden\U000e0068\U000e0069 tags", "hidden tags"),
    ("a\ufe0f\ufe01\ufe02\U000e0100 payload", "a\ufe0f payload"),
    ("x\ufffe\uffff\ufdd0y", "xy"),
]

BREAKS = ["\r\n", "\r", "\v", "\f", "\x85", "\u2028", "\u2029", "\x1d"]

KEPT = [
    "tab\tand\nnew line",
    "می\u200cخواهم",  # Persian needs the non-joiner
    "क\u094d\u200dष",  # a Hindi half form
    "👩\u200d👩\u200d👧 ❤\ufe0f\u200d🔥 1\ufe0f\u20e3",
    "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",  # the flag of England
    "ភាសា\u200bខ្មែរ",  # Khmer marks words by zero-width spaces
    "עברית (abc)\u200f!",  # a direction mark where there are right-to-left letters
    "no\u00a0break 10\u202f000 €",
    "葛\U000e0100城",  # one ideographic variation
]


@pytest.mark.parametrize(("text", "seen"), REMOVED)
def test_what_is_not_seen_is_removed(text, seen):
    assert remove_control(text) == seen


@pytest.mark.parametrize("mark", BREAKS)
def test_every_line_break_is_a_line_feed(mark):
    assert remove_control(f"one{mark}two") == "one\ntwo"


@pytest.mark.parametrize("text", KEPT)
def test_what_writing_needs_is_kept(text):
    assert remove_control(text) == text


def test_overrides_are_removed_in_right_to_left_text_too():
    assert remove_control("שלום\u202eolam\u202c\u200f!") == "שלוםolam\u200f!"


MARKS = st.sampled_from("\x1b[]m\r\n\u200b\u200d\u200e\u202e\u00ad\ufe0f🏴")


@settings(max_examples=300, deadline=None)
@given(
    st.text(
        st.one_of(st.characters(exclude_categories=["Cs"]), MARKS),
        max_size=40,
    )
)
def test_nothing_hides_and_nothing_else_changes(text):
    clean = remove_control(text)
    assert not set(clean) & set("\x00\r\x0b\x0c\x1b\x7f\x85\u00ad\u2028\u2029\u202e\u2066\ufeff")
    assert remove_control(clean) == clean
    letters = [c for c in text if c.isalpha()]
    assert [c for c in clean if c.isalpha()] == letters or "\x1b" in text
