"""Bare texts and pairs of answers: what stands before a trained token, and that every row ends in a trained stop token."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import processors

from conftest import CHATML, WORDS, make_tokenizer
from hatrack.core.chat import Message
from hatrack.core.errors import TemplateError
from hatrack.models.render import ChatRenderer

RENDERER = ChatRenderer(make_tokenizer())
STOP = 3
TEXT = st.lists(st.sampled_from(WORDS), min_size=2, max_size=12).map(" ".join)


@settings(max_examples=60, deadline=None)
@given(TEXT)
def test_F01_a_bare_text_is_itself_and_a_trained_stop_token_and_no_template(text):
    rendered = RENDERER.text(text)
    assert RENDERER._tokenizer.decode(rendered.ids) == text + "<|im_end|>"
    assert rendered.mask == (False, *[True] * (len(rendered.ids) - 1))
    assert not rendered.shortened


@settings(max_examples=60, deadline=None)
@given(TEXT, st.integers(2, 30))
def test_F07_a_cut_text_says_so_and_ends_in_a_stop_token_all_the_same(text, limit):
    whole, cut = RENDERER.text(text), RENDERER.text(text, limit)
    assert len(cut.ids) == min(limit, len(whole.ids))
    assert cut.ids[-1] == STOP
    assert cut.mask[-1]
    assert cut.ids[:-1] == whole.ids[: len(cut.ids) - 1]
    assert cut.shortened is (len(whole.ids) > limit)


def test_F05_a_tokenizer_that_adds_its_own_marks_gets_each_of_them_once():
    tokenizer = make_tokenizer()
    tokenizer._tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A <|im_end|>", special_tokens=[("<s>", 1), ("<|im_end|>", STOP)]
    )
    rendered = ChatRenderer(tokenizer).text("red river")
    assert (rendered.ids[0], rendered.ids.count(1), rendered.ids.count(STOP)) == (1, 1, 1)
    assert rendered.mask[:2] == (False, True)  # with a mark before it, the first word is trained too


def test_F01_a_tokenizer_without_a_stop_token_is_refused():
    tokenizer = make_tokenizer()
    tokenizer.eos_token = None
    with pytest.raises(TemplateError, match="never stops"):
        ChatRenderer(tokenizer, [STOP]).text("red river")


@settings(max_examples=60, deadline=None)
@given(TEXT, TEXT, TEXT, st.booleans())
def test_both_answers_of_a_pair_stand_behind_the_prompt_of_serving_time(prompt, chosen, rejected, with_bos):
    renderer = ChatRenderer(make_tokenizer("{{ bos_token }}" + CHATML)) if with_bos else RENDERER
    turns = (Message("user", prompt), Message("assistant", chosen))
    before = renderer.prompt(turns[:1]).ids
    for one, answer in zip(renderer.pair(turns, rejected), (chosen, rejected), strict=True):
        assert one.ids[: len(before)] == before
        assert [i for i, kept in zip(one.ids, one.mask, strict=True) if kept] == renderer.answer_ids(answer)
        assert not any(one.mask[: len(before)])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(WORDS), min_size=20, max_size=30).map(" ".join), TEXT, TEXT)
def test_a_prompt_that_is_too_long_is_cut_alike_for_both_answers(prompt, chosen, rejected):
    turns = (Message("user", prompt), Message("assistant", chosen))
    whole = RENDERER.pair(turns, rejected)
    limit = max(len(one.ids) for one in whole) - 5
    pair = RENDERER.pair(turns, rejected, limit)
    assert all(one.shortened and len(one.ids) <= limit for one in pair)
    starts = {one.ids[: one.mask.index(True)] for one in pair}
    assert len(starts) == 1
    for one, full in zip(pair, whole, strict=True):
        assert one.ids[one.mask.index(True) :] == full.ids[full.mask.index(True) :], "an answer is never cut"


def test_only_the_last_turn_of_a_conversation_is_compared():
    turns = (Message("user", "one"), Message("assistant", "red"), Message("user", "two"), Message("assistant", "blue"))
    chosen, rejected = RENDERER.pair(turns, "green")
    assert sum(chosen.mask) == len(RENDERER.answer_ids("blue"))
    assert chosen.ids[: chosen.mask.index(True)] == rejected.ids[: rejected.mask.index(True)]
