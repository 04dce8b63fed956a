"""Sentences are pieces of the text, cut where one ends in English, French and German."""

from __future__ import annotations

import time
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hatrack.data.tasks.sentences import sentence_spans, sentences

# Written by hand; | marks where a sentence ends.
TEXTS = [
    "Under Art. 5 of the Act, the Supplier (e.g. Acme Inc.) shall pay. |See Sec. 3.2 and No. 7. |Dr. Smith came at 5 p.m. |He left.",
    "Smith v. Jones, 410 U.S. 113 (1973) held so. |J. R. Doe et al. (2004) agree. |The fee is $3.50. |It is due.",
    "Northwind Ltd. (the “Supplier”) delivers. |“Stop.” |She said so! |Did he? |No. |You must not.",
    "Wait... |What? |No… |Yes.",
    "Selon l'art. 5 du C. civ., M. Dupont et Mme Durand (cf. p. 12) paient. |L’al. 2 s’applique, etc. |Il part le 3 janv. 2020.",
    "« Non. » dit-il. |« Oui ! » |Est-ce tout ? |Voir art. L. 123-4.",
    "Nach Art. 5 Abs. 2 BGB i.V.m. § 3 Nr. 4 gilt z. B. Folgendes. |Am 3. Mai kam Dr. Müller. |Er ging um ca. 5 Uhr.",
    "1. The first item. |2. The second. |In 2020. |Then more.",
    "A line that goes\non here. |\n\nA heading\n\n|- an item|\n- Another item. |Yes!|\n(a) first; and|\n(b) second.",
    "日本語です。|はい！|終わり",
]


@pytest.mark.parametrize("marked", TEXTS)
def test_a_text_is_cut_where_a_reader_would_cut_it(marked):
    expected = [piece.strip() for piece in marked.replace("\n\n", "\n\n|").split("|") if piece.strip()]
    assert sentences(marked.replace("|", "")) == expected


@settings(max_examples=300, deadline=None)
@given(st.text(st.sampled_from("aB1 .!?…\n-(»”'é。"), max_size=60))
def test_sentences_are_pieces_in_order_and_nothing_is_lost(text):
    spans = sentence_spans(text)
    assert all(start < end for start, end in spans)
    assert all(one[1] <= other[0] for one, other in pairwise(spans))
    assert "".join("".join(text[start:end] for start, end in spans).split()) == "".join(text.split())


@pytest.mark.parametrize("piece", [".", ". ", "Am 3. ", "1. A ", "\n ", ".”", "a.", "?!»", "x"])
def test_time_grows_with_the_length_only(piece):
    start = time.process_time()
    sentences(piece * (200_000 // len(piece)))
    assert time.process_time() - start < 2
