"""Shingles as numbers are the shingles of the definition, whatever stands in the texts."""

from __future__ import annotations

import re
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hatrack.data.duplicates import shingles as module
from hatrack.data.duplicates.shingles import hash_batches, hash_texts, shingles
from hatrack.data.records import normalised

ODD = [
    "",
    " ",
    "!",
    "! ! ! ! ! ! ! ! !",
    "— … — … — … — …",
    "—!—!—!—!—!—!—!—!",
    "\ud800",
    "a\x00b",
    "ß ẞ ſ K İ ǅ",
    "x_y",
    "²³ ½ Ⅷ",
    "a\nb\u2028c",
]
WORDS = ["tax", "Tax", "TAX", "impôt", "IMPÔT", "straße", "STRASSE", "a", "b", "of", "the", "-", "…", "x,y", "42", "रुपया"]
TEXTS = st.one_of(st.lists(st.sampled_from(WORDS), max_size=14).map(" ".join), st.text(max_size=30), st.sampled_from(ODD))


def hashed_sets(texts):
    hashed = hash_texts(texts)
    return [set(hashed.hashes[a:b].tolist()) for a, b in pairwise(hashed.offsets.tolist())]


@settings(max_examples=300, deadline=None)
@given(st.lists(TEXTS, min_size=1, max_size=6))
@example(ODD)
def test_hashes_are_the_shingles_of_the_definition(texts):
    defined, hashed = [shingles(normalised(text)) for text in texts], hashed_sets(texts)
    for i, piece in enumerate(defined):
        for j, other in enumerate(defined):
            assert len(piece & other) == len(hashed[i] & hashed[j]), (texts[i], texts[j])


@settings(max_examples=300, deadline=None)
@given(st.lists(TEXTS, min_size=2, max_size=6))
@example(ODD)
@example(["straße", "STRASSE", "ſtrasse"])
def test_keys_are_equal_where_normalised_texts_are(texts):
    keys = hash_texts(texts).keys
    for i, text in enumerate(texts):
        for j, other in enumerate(texts):
            with_words = any(c.isalnum() for c in text + other)  # texts without any all have one key, and are told apart by themselves
            assert (keys[i] == keys[j]) == (normalised(text) == normalised(other)) or (not with_words and keys[i] == keys[j])


@given(st.lists(TEXTS, min_size=1, max_size=20))
def test_a_text_has_the_same_numbers_in_any_company(texts):
    alone, together = [hash_texts([text]) for text in texts], hash_texts(texts)
    assert together.keys.tolist() == [one.keys[0] for one in alone]
    assert together.hashes.tolist() == [number for one in alone for number in one.hashes.tolist()]


def test_batches_hold_every_text_once_and_a_long_text_is_hashed_alone(monkeypatch):
    texts = [f"text {i} " * (2000 if i == 5 else 3) for i in range(40)]
    monkeypatch.setattr(module, "_BATCH", 100)
    batches = list(hash_batches(texts))
    assert len(batches) > 5
    assert np.concatenate([batch.keys for batch in batches]).tolist() == hash_texts(texts).keys.tolist()


def test_no_text_is_no_batch():
    assert list(hash_batches([])) == []


def test_the_fast_rule_for_letters_is_that_of_python():
    for code in range(0x110000):
        letter = chr(code)
        if code < 128:
            assert bool(module._FOLDED[code]) == letter.isalnum()
        else:
            assert bool(module._NO_WORD.fullmatch(letter)) != letter.isalnum(), hex(code)


@pytest.mark.parametrize("text", ["one two three", "one two three four five six seven eight"])
def test_pieces_of_words_and_pieces_of_characters_are_never_equal(text):
    assert all(("\n" in piece) == (len(text.split()) >= 8) for piece in shingles(text))
    assert not re.search(r"\n", normalised("a\nb"))
