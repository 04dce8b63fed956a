"""F01, F03 to F06: one way from messages to ids, and a mask that is exactly the answers and their stop tokens."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conftest import CHATML, make_tokenizer
from hatrack.core.chat import Message
from hatrack.core.errors import TemplateError
from hatrack.models.render import PLAIN_TEMPLATE, ChatRenderer

WITH_BOS = "{{ bos_token }}" + CHATML
LLAMA2 = (
    "{{ bos_token }}{% for m in messages %}{% if m['role'] == 'user' %}[INST] {{ m['content'] | trim }} [/INST]"
    "{% elif m['role'] == 'assistant' %} {{ m['content'] | trim }} {{ eos_token }}{% endif %}{% endfor %}"
)
TEMPLATES = {"chatml": CHATML, "bos": WITH_BOS, "plain": PLAIN_TEMPLATE, "none": None}
RENDERERS = {name: ChatRenderer(make_tokenizer(template)) for name, template in TEMPLATES.items()}

# text as people write it: no control characters, and not the special tokens themselves
TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="<"), min_size=1, max_size=30).filter(str.strip)


@st.composite
def conversations(draw):
    turns = [Message("system", draw(TEXT))] if draw(st.booleans()) else []
    for _ in range(draw(st.integers(1, 3))):
        turns += [Message("user", draw(TEXT)), Message("assistant", draw(TEXT))]
    return turns


def pieces(renderer: ChatRenderer, rendered) -> list[str]:
    """The trained stretches, as text with special tokens."""
    found: list[list[int]] = [[]]
    for token, kept in zip(rendered.ids, rendered.mask, strict=True):
        if kept:
            found[-1].append(token)
        elif found[-1]:
            found.append([])
    return [renderer._tokenizer.decode(ids) for ids in found if ids]


@settings(max_examples=60, deadline=None)
@given(conversations(), st.sampled_from(sorted(RENDERERS)))
def test_F03_F04_the_mask_is_every_answer_and_its_stop_token_and_nothing_else(turns, name):
    renderer = RENDERERS[name]
    answers = [m.content + "<|im_end|>" for m in turns if m.role == "assistant"]
    rendered = renderer.example(turns)
    assert pieces(renderer, rendered) == answers
    whole = renderer._tokenizer.apply_chat_template([m.as_dict() for m in turns], chat_template=renderer._template, tokenize=False)
    assert renderer._tokenizer.decode(rendered.ids) == whole
    assert pieces(renderer, renderer.example(turns, last_turn_only=True)) == answers[-1:]


@settings(max_examples=60, deadline=None)
@given(conversations(), st.sampled_from(sorted(RENDERERS)))
def test_F05_F06_the_ids_before_an_answer_are_those_of_the_prompt_at_serving_time(turns, name):
    renderer = RENDERERS[name]
    ids = renderer.example(turns).ids
    for position, turn in enumerate(turns):
        if turn.role != "assistant":
            continue
        prompt = renderer.prompt(turns[:position])
        assert ids[: len(prompt.ids)] == prompt.ids
        answer = renderer.encode(turn.content)
        assert list(ids[len(prompt.ids) : len(prompt.ids) + len(answer)]) == answer
        assert ids[len(prompt.ids) + len(answer)] in renderer.stop_ids
        assert not any(prompt.mask)


@settings(deadline=None)
@given(TEXT)
def test_an_answer_that_is_scored_has_the_ids_it_is_trained_with(text):
    renderer = RENDERERS["chatml"]
    rendered = renderer.example([Message("user", "?"), Message("assistant", text)])
    assert renderer.answer_ids(text) == [token for token, kept in zip(rendered.ids, rendered.mask, strict=True) if kept]


def talk(*texts: str) -> list[Message]:
    return [Message("assistant" if i % 2 else "user", text) for i, text in enumerate(texts)]


def test_F05_there_is_one_bos_even_where_the_tokenizer_would_add_another():
    from tokenizers import processors

    tokenizer = make_tokenizer(WITH_BOS)
    tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    assert tokenizer("a").input_ids[0] == tokenizer.bos_token_id == 1
    ids = ChatRenderer(tokenizer).example(talk("a", "b", "c", "d")).ids
    assert ids.count(1) == 1
    assert ids[0] == 1


def test_F05_a_template_that_writes_bos_twice_is_refused():
    with pytest.raises(TemplateError, match="begins with two BOS tokens"):
        ChatRenderer(make_tokenizer("{{ bos_token }}" + WITH_BOS)).prompt(talk("a"))


@pytest.mark.parametrize("tail", ["", "\n", "</end>"])
def test_F01_a_template_whose_answers_do_not_end_in_a_stop_token_is_refused(tail):
    template = CHATML.replace("<|im_end|>\n", tail)
    with pytest.raises(TemplateError, match="message 2 does not end in a stop token"):
        ChatRenderer(make_tokenizer(template)).example(talk("a", "b"))


def test_F01_any_stop_token_of_the_base_counts():
    tokenizer = make_tokenizer(CHATML.replace("<|im_end|>\n{% endfor %}", "<unk>\n{% endfor %}"))
    with pytest.raises(TemplateError, match="does not end in a stop token"):
        ChatRenderer(tokenizer).example(talk("a", "b"))
    rendered = ChatRenderer(tokenizer, stop_ids=[tokenizer.unk_token_id]).example(talk("a", "b"))
    assert [token for token, kept in zip(rendered.ids, rendered.mask, strict=True) if kept][-1] == tokenizer.unk_token_id


def test_F03_a_template_that_trims_and_sets_spaces_is_masked_right():
    renderer = ChatRenderer(make_tokenizer(LLAMA2))
    # its generation prompt is empty, so the space before the answer belongs to what the model says
    with pytest.raises(TemplateError, match="changes the text of message 2"):
        renderer.example(talk("one ", "two"))
    spaced = ChatRenderer(make_tokenizer(LLAMA2.replace(" [/INST]", " [/INST] ").replace("%} {{ m", "%}{{ m")))
    assert pieces(spaced, spaced.example(talk("one ", " two ", "three", "four"))) == ["two <|im_end|>", "four <|im_end|>"]


def test_F06_a_template_that_changes_an_answer_is_refused():
    with pytest.raises(TemplateError, match="changes the text of message 2"):
        ChatRenderer(make_tokenizer(CHATML.replace("m['content']", "m['content'] | upper"))).example(talk("a", "b"))


def test_F06_a_template_that_rewrites_earlier_turns_is_refused():
    # as templates do that drop the reasoning of all but the last turn
    forgetful = CHATML.replace("{{ m['content'] }}", "{{ m['content'] if loop.last or m['role'] == 'user' else '' }}")
    with pytest.raises(TemplateError, match="changes what stands before message 4"):
        ChatRenderer(make_tokenizer(forgetful)).example(talk("a", "b", "c", "d"))


def test_a_template_that_refuses_the_roles_says_so():
    strict = "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system role') }}{% endif %}" + CHATML
    with pytest.raises(TemplateError, match="template refuses these messages") as refused:
        ChatRenderer(make_tokenizer(strict)).prompt([Message("system", "s"), Message("user", "u")])
    assert "no system role" in str(refused.value)


def test_a_conversation_without_an_answer_teaches_nothing():
    with pytest.raises(TemplateError, match="no assistant turn"):
        RENDERERS["chatml"].example(talk("a"))


def test_F06_the_template_hash_changes_with_template_special_tokens_and_stop_tokens():
    other = make_tokenizer()
    other.pad_token = "<unk>"
    hashes = [
        ChatRenderer(make_tokenizer()).template_hash,
        ChatRenderer(make_tokenizer(CHATML + " ")).template_hash,
        ChatRenderer(make_tokenizer(None)).template_hash,
        ChatRenderer(make_tokenizer(), stop_ids=[0]).template_hash,
        ChatRenderer(other).template_hash,
    ]
    assert len(set(hashes)) == 5
    assert ChatRenderer(make_tokenizer()).template_hash == hashes[0]


@settings(max_examples=40, deadline=None)
@given(TEXT, st.text("abcdé🙂 ", min_size=40, max_size=80), TEXT, st.integers(1, 60))
def test_F07_a_long_question_is_cut_and_an_answer_never(system, question, answer, room):
    renderer = RENDERERS["chatml"]
    turns = [Message("system", system[:5]), Message("user", question), Message("assistant", answer[:8])]
    full = renderer.example(turns)
    limit = len(renderer.example([turns[0], Message("user", ""), turns[2]]).ids) + room  # a character may be four tokens
    rendered = renderer.example(turns, limit)
    assert rendered.shortened == (len(full.ids) > limit)
    assert len(rendered.ids) <= limit
    assert pieces(renderer, rendered) == [answer[:8] + "<|im_end|>"]
    if rendered.shortened:
        kept = renderer._tokenizer.decode(rendered.ids).split("user\n")[1].split("<|im_end|>")[0]
        assert question.startswith(kept)


def test_F07_an_answer_that_does_not_fit_is_refused():
    with pytest.raises(TemplateError, match="does not fit"):
        RENDERERS["chatml"].example(talk("short", "long " * 100), 50)


def test_F07_a_prompt_is_cut_the_same_way():
    renderer = RENDERERS["chatml"]
    prompt = renderer.prompt(talk("word " * 100), 40)
    assert prompt.shortened
    assert len(prompt.ids) <= 40
    assert renderer._tokenizer.decode(prompt.ids).endswith("<|im_end|>\n<|im_start|>assistant\n")
