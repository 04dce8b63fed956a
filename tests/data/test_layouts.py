"""What comes of a row in each layout, and why some rows give nothing."""

from __future__ import annotations

import pytest

from hatrack.core.config import AdapterConfig
from hatrack.core.errors import ConfigError, DataFileError
from hatrack.data.layouts import held
from hatrack.data.layouts.base import LAYOUTS, choose_layout, layout_for
from hatrack.data.readers.base import open_rows
from hatrack.data.records import RawRow, RowFault
from made_files import FIXTURES


def convert(name, *cells):
    return list(LAYOUTS.get(name)().convert(iter([RawRow(i, one) for i, one in enumerate(cells, 1)])))


def reason(name, cells):
    (fault,) = convert(name, cells)
    assert isinstance(fault, RowFault)
    return fault.reason


def said(row):
    return [(turn["role"], turn["content"]) for turn in row.columns["messages"]]


def rows_of(file, layout="auto"):
    return list(open_rows(FIXTURES / file, layout_name=layout))


def node(identity, parent, role, text="x", **more):
    return {"message_id": identity, "parent_id": parent, "role": role, "text": text, **more}


def turn(call, speaker, text, **more):
    return {"call_id": call, "speaker": speaker, "text": text, **more}


def test_alpaca_and_dolly_put_the_passage_behind_the_question():
    first, second, third = rows_of("alpaca.json")
    assert first.columns == {
        "messages": [{"role": "user", "content": "Name the document that transfers a house."}, {"role": "assistant", "content": "A deed."}]
    }
    assert said(second)[0] == ("user", "Summarise.\n\nRent is due on the first.\nIt is late on the sixth.")
    assert second.columns["lang"] == "en"
    assert said(third) == [("user", 'Sag „ja".'), ("assistant", "Ja\u2028und noch einmal: ja 🙂")]
    first, second = rows_of("dolly.jsonl")
    assert said(first)[0] == ("user", "When is a deed void?\n\nA deed that is forged is void.")
    assert (said(second)[0], second.columns["category"]) == (("user", "Name a colour."), "open_qa")


def test_chat_takes_text_parts_and_developers_and_drops_what_is_null():
    first, second, third = rows_of("chat.jsonl")
    assert said(first)[0] == ("system", "Be short.")
    assert said(second)[0] == ("user", "And a deed?")
    assert said(third)[0] == ("system", "Be kind.")
    assert first.columns["id"] == "a"


@pytest.mark.parametrize(
    ("message", "why"),
    [
        ({"role": "tool", "content": "x"}, "turn 1 of 'messages' belongs to a tool"),
        ({"role": "assistant", "content": None, "tool_calls": [{}]}, "belongs to a tool"),
        ({"role": "narrator", "content": "x"}, "has the role 'narrator'; known are"),
        ({"role": "user", "content": None}, "holds NoneType, text is needed"),
        ({"role": "user", "content": [{"type": "image_url"}]}, "holds list, text is needed"),
        ({"role": "assistant", "content": "x", "weight": 0}, "has weight 0"),
        ({"role": ["user"], "content": "x"}, "a name is needed"),
        ("hello", "is str, an object is needed"),
    ],
)
def test_F08_a_turn_that_cannot_be_trained_is_refused_with_its_place(message, why):
    assert why in reason("chat", {"messages": [message]})


def test_sharegpt_names_are_roles():
    assert said(rows_of("sharegpt.json")[1]) == [
        ("system", "You are a banker."),
        ("user", "Rate?"),
        ("assistant", "5 %."),
        ("user", "Fixed?"),
        ("assistant", "Yes."),
    ]


def test_preferences_as_texts_or_turns_are_the_same():
    first, second, third = rows_of("preference.jsonl")
    assert first.columns == {
        "messages": [{"role": "user", "content": "Is interest deductible?"}],
        "chosen": "Often, for a mortgage on your home.",
        "rejected": "No idea.",
    }
    assert said(second) == [("system", "Be careful."), ("user", "Can I take two?")]
    assert (second.columns["chosen"], second.columns["rejected"]) == ("Ask your doctor first.", "Sure.")
    assert (said(third), third.columns["rejected"]) == ([("user", "Hi")], "What?")


@pytest.mark.parametrize(
    ("cells", "why"),
    [
        ({"prompt": "p", "chosen": "a"}, "no column 'rejected'"),
        ({"prompt": "", "chosen": "a", "rejected": "b"}, "'prompt' is empty"),
        ({"chosen": "a", "rejected": "b"}, "must end with a turn of the user"),
        ({"prompt": [{"role": "assistant", "content": "x"}], "chosen": "a", "rejected": "b"}, "must end with a turn of the user"),
        ({"prompt": "p", "chosen": [{"role": "user", "content": "x"}], "rejected": "b"}, "'chosen' must end with a turn of the assistant"),
    ],
)
def test_F08_a_preference_that_is_none_is_refused_with_the_reason(cells, why):
    assert why in reason("preference", cells)


def test_hh_rlhf_dialogues_are_cut_at_their_marks_only():
    first, second = rows_of("hh_rlhf.jsonl")
    assert said(first) == [("user", "My landlord keeps my deposit."), ("assistant", "Since when?"), ("user", "A month.")]
    assert (first.columns["chosen"], first.columns["rejected"]) == ("Write to him and name a date.", "Too bad.")
    assert said(second) == [("user", "Hi\n\nthere")]
    assert second.columns["chosen"] == "Hello.\n\nWhat is it?"


@pytest.mark.parametrize(
    ("chosen", "why"),
    [
        ("\n\nHuman: a\n\nAssistant: b\n\nHuman: c", "must end with a turn of the assistant"),
        ("Assistant: b", "must be Human's"),
        ("hello", "must begin with Human: or Assistant:"),
    ],
)
def test_F08_a_dialogue_of_another_form_is_refused(chosen, why):
    assert why in reason("hh-rlhf", {"chosen": chosen, "rejected": chosen})


def test_trees_become_their_best_path_up_to_the_last_answer():
    first, second = rows_of("oasst.jsonl")
    assert first.number == 2
    assert said(first) == [
        ("user", "What is VAT?"),
        ("assistant", "A tax on value added."),
        ("user", "Who pays it?"),
        ("assistant", "The consumer."),
    ]
    assert (first.columns["id"], first.columns["lang"], first.columns["message_tree_id"]) == ("m1", "en", "m1")
    assert (second.number, said(second)[1]) == (8, ("assistant", "Un impôt sur la consommation."))


@pytest.mark.parametrize(
    ("nodes", "number", "why"),
    [
        ([node("a", None, "prompter")], 1, "no reply of the assistant is left"),
        ([node("a", None, "prompter"), node("b", "a", "assistant", deleted=True)], 1, "no reply of the assistant is left"),
        ([node("a", None, "prompter"), node("b", "a", "assistant", review_result=False)], 1, "no reply of the assistant is left"),
        ([node("a", None, "assistant")], 1, "must begin with a message of the prompter"),
        ([node("a", None, "prompter"), node("b", "a", "prompter")], 2, "two messages of the user follow each other"),
        ([node("a", None, "narrator")], 1, "known are prompter, assistant"),
        ([node("b", "a", "assistant")], 1, "the message 'a' it answers is not in this file"),
        ([node("a", 7, "assistant")], 1, "'parent_id' holds int"),
    ],
)
def test_F08_a_tree_that_gives_no_conversation_is_a_fault(nodes, number, why):
    (fault,) = convert("oasst", *nodes)
    assert (fault.number, why in fault.reason) == (number, True), fault


def test_a_message_id_twice_is_a_fault_of_the_second():
    (conversation,) = (
        row
        for row in convert("oasst", node("a", None, "prompter"), node("b", "a", "assistant", "one"), node("b", "a", "assistant", "two"))
        if isinstance(row, RawRow)
    )
    assert said(conversation)[1] == ("assistant", "one")


def test_replies_to_a_deleted_message_are_left_out_without_a_fault():
    assert convert("oasst", node("a", None, "prompter", deleted=True), node("b", "a", "assistant")) == []


def test_whole_trees_give_the_conversations_that_their_messages_give():
    flat, nested = rows_of("oasst.jsonl"), rows_of("oasst_trees.jsonl")
    assert [said(row) for row in nested] == [said(row) for row in flat]
    assert [row.number for row in nested] == [1, 2]
    assert [(row.columns["id"], row.columns["lang"]) for row in nested] == [("m1", "en"), ("n1", "fr")]
    assert all("prompt" not in row.columns and "replies" not in row.columns for row in nested)


def tree(*replies, **keys):
    return {"prompt": {"message_id": "a", "role": "prompter", "text": "q", "replies": list(replies), **keys}}


@pytest.mark.parametrize(
    ("cells", "why"),
    [
        (tree(), "no reply of the assistant is left"),
        (tree(deleted=True), "the first message of the tree was deleted or failed its review"),
        (tree({"message_id": "b", "role": "prompter", "text": "r"}), "two messages of the user follow each other"),
        (tree({"message_id": "a", "role": "assistant", "text": "r"}), "message 2 of the tree: message_id 'a' is used twice"),
        (tree({"message_id": "b", "role": "assistant", "text": 7}), "message 2 of the tree: column 'text' holds int"),
        (tree("r"), "message 1 of the tree: 'replies' must hold a list of messages"),
        (tree(role="assistant"), "message 1 of the tree: a tree must begin with a message of the prompter"),
        ({"prompt": "q"}, "column 'prompt' holds str"),
    ],
)
def test_F08_a_whole_tree_that_gives_no_conversation_is_a_fault(cells, why):
    (fault,) = convert("oasst-trees", cells)
    assert isinstance(fault, RowFault)
    assert why in fault.reason


def test_a_transcript_becomes_questions_and_answers_wherever_its_rows_stand():
    first, second = rows_of("calls.csv")
    assert (first.number, first.columns["id"], first.columns["category"]) == (2, "7", "billing")
    assert said(first) == [("user", 'My bill is wrong.\nIt says "40".'), ("assistant", "Corrected.")]
    assert (second.number, said(second)) == (3, [("user", "Where is my card?"), ("assistant", "In the post.")])


def test_captions_become_a_conversation():
    (row,) = rows_of("call.vtt")
    assert said(row) == [("user", "My bill is wrong. It says 40."), ("assistant", "Corrected. Anything else?")]


def test_the_name_assistant_says_who_the_assistant_is():
    turns = [turn(1, "Doctor Who", "May I?"), turn(1, "Assistant", "Yes.")]
    assert said(convert("transcript", *turns)[0]) == [("user", "May I?"), ("assistant", "Yes.")]
    assert "Assistant is taken as the assistant" in LAYOUTS.get("transcript")().fits(["call_id", "speaker", "text"], turns)


def test_a_system_speaker_is_the_system_prompt():
    turns = [turn(1, "system", "Be kind."), turn(1, "Caller", "a"), turn(1, "Agent", "b")]
    assert said(convert("transcript", *turns)[0])[0] == ("system", "Be kind.")


@pytest.mark.parametrize(
    ("speakers", "why"),
    [
        (("Ana", "Bo"), "who is the assistant is not known: Ana, Bo"),
        (("Agent", "Support"), "everybody here is the assistant"),
        (("Agent", "Caller"), "no question here is followed by an answer"),
    ],
)
def test_F08_a_transcript_without_two_sides_is_a_fault_of_its_first_row(speakers, why):
    (fault,) = convert("transcript", *(turn(4, speaker, "x") for speaker in speakers))
    assert fault.number == 1
    assert why in fault.reason


@pytest.mark.parametrize(
    ("name", "rows"),
    [("transcript", [turn(i, "Agent", "x" * 50) for i in range(100)]), ("oasst", [node(str(i), None, "prompter") for i in range(100)])],
)
def test_what_must_be_held_in_memory_has_a_limit_with_a_clear_message(monkeypatch, name, rows):
    monkeypatch.setattr(held, "MOST_BYTES", 30_000)
    with pytest.raises(DataFileError, match="too large to be put together in memory") as refused:
        convert(name, *rows)
    assert "30,000 bytes" in refused.value.allowed


def test_two_layouts_that_fit_are_not_chosen_between():
    row = RawRow(1, {"instruction": "a", "output": "b", "inputs": "c", "targets": "d"})
    with pytest.raises(ConfigError, match="two layouts fit") as refused:
        choose_layout("auto", [row])
    assert "alpaca" in refused.value.given
    assert "flan" in refused.value.given
    assert choose_layout("flan", [row])[0] == "flan"


def test_an_unknown_layout_is_refused_with_the_nearest():
    with pytest.raises(ConfigError, match="did you mean alpaca"):
        choose_layout("alpacca", [])


@pytest.mark.parametrize(
    ("keys", "layout"),
    [
        ({"task": "instruct"}, "auto"),
        ({"task": "instruct", "columns": {"group": "call"}}, "auto"),
        ({"task": "instruct", "columns": {"prompt": "instruction", "response": "output"}}, "columns"),
        ({"task": "classify"}, "columns"),
        ({"task": "classify", "data": {"train": "x", "layout": "flan"}}, "flan"),
        ({"task": "complete", "columns": {"text": "body"}}, "columns"),
        ({"task": "prefer"}, "auto"),
    ],
)
def test_columns_that_the_config_names_are_taken_as_they_are(keys, layout):
    assert layout_for(AdapterConfig.model_validate({"data": "x", **keys})) == layout
