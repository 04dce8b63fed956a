"""The cleaner applies the rules until nothing changes, counts them, and rejects by number and reason."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hatrack.core.chat import Message
from hatrack.core.config_prepare import CleanRules
from hatrack.data.clean.cleaner import Cleaner
from hatrack.data.records import Example, RowFault

ALL = CleanRules(whitespace=True, boilerplate=True)
FOOTER = "This message is confidential."


def row(text, number=1, **fields):
    return Example(number, f"r{number}", text, **fields)


def turns(*contents):
    roles = ["user", "assistant"] * len(contents)
    return tuple(Message(role, content) for role, content in zip(roles, contents, strict=False))


def cleaned(text, **rules):
    return Cleaner(CleanRules(**rules)).clean(row(text)).text


def count(cleaner, rule):
    return next(entry for entry in cleaner.summary() if entry.rule == rule)


def test_a_clean_row_is_the_very_same_object():
    example = row("Clean «text» – with é,\n  indented", label="red", messages=turns("a?", "b"), rejected="c")
    assert Cleaner(CleanRules()).clean(example) is example


def test_every_text_field_is_cleaned_and_text_stays_the_first_user_turn():
    messages = (Message("system", "S\u200bystem"), *turns("cafÃ©?\x00", "ouÃ¯\u200b"))
    example = row("cafÃ©?\x00", messages=messages, rejected="nÃ³n", label=" e\u0301t ", group="g\x00", number=7)
    result = Cleaner(CleanRules()).clean(example)
    assert result.text == "café?" == result.messages[1].content
    assert result.messages[2].content == "ouï"
    assert result.rejected == "nón"
    assert result.label == "ét"
    assert (result.row, result.id, result.group) == (7, "r7", "g\x00")


def test_system_turns_are_what_use_will_send():
    messages = (Message("system", "cafÃ©  \n"), *turns("a  b", "c"))
    result = Cleaner(CleanRules(whitespace=True)).clean(row("a  b", messages=messages))
    assert result.messages[0] is messages[0]
    assert result.messages[1].content == "a b"


@pytest.mark.parametrize(
    ("rule", "text"), [("unicode", "cafÃ©"), ("control", "a\u200bb"), ("whitespace", "a  b"), ("boilerplate", f"a\n{FOOTER}")]
)
def test_each_rule_can_be_turned_off(rule, text):
    def clean(on):
        cleaner = Cleaner(CleanRules(**{name: on and name == rule for name in ("unicode", "control", "whitespace", "boilerplate")}))
        cleaner.learn(row(f"row {i}\n{FOOTER}", i) for i in range(9))
        return cleaner.clean(row(text)).text

    assert clean(on=True) != text
    assert clean(on=False) == text


def test_one_rule_may_make_work_for_another():
    assert cleaned("cafÃ\u200b©") == "café"
    assert cleaned("a \u200b b", whitespace=True) == "a b"


def test_boilerplate_is_learned_in_a_first_pass_over_repaired_lines():
    rows = [row(f"Case {i}\n{FOOTER}\u200b" if i % 2 else f"Case {i}\n{FOOTER}", i) for i in range(10)]
    cleaner = Cleaner(CleanRules(boilerplate=True))
    cleaner.learn(rows)
    assert [cleaner.clean(example).text for example in rows] == [f"Case {i}" for i in range(10)]
    assert count(cleaner, "boilerplate").notes == (f"in 10 of 10 rows: {FOOTER}",)


def test_boilerplate_without_its_first_pass_is_a_mistake_of_the_program():
    with pytest.raises(RuntimeError, match=r"Cleaner\.learn"):
        Cleaner(ALL).clean(row("a"))


def test_a_system_turn_is_no_boilerplate():
    cleaner = Cleaner(CleanRules(boilerplate=True))
    messages = (Message("system", f"{FOOTER}\nBe brief."), *turns("Why is that so?", "Because of it."))
    cleaner.learn(row("Why is that so?", i, messages=messages) for i in range(9))
    assert cleaner.clean(row("Why is that so?", messages=messages)).messages[0].content == f"{FOOTER}\nBe brief."
    assert FOOTER not in count(cleaner, "boilerplate").notes[0]


def test_a_system_turn_is_not_measured():
    cleaner = Cleaner(CleanRules(max_characters=20, min_characters=4, languages=("en",)))
    german = "Antworte kurz und höflich auf jede Frage der Kunden."
    for system in (german, "\u200b"):
        example = row("Why?", messages=(Message("system", system), *turns("Why?", "Because.")))
        assert cleaner.clean(example) is example


@pytest.mark.parametrize(
    ("example", "reason"),
    [
        (row("\u200b\x00", 4), "a text of 0 characters after cleaning, at least 1 are needed (prepare.clean.min_characters)"),
        (row("Why?", 4, messages=turns("Why?", "\u200b")), "a text of 0 characters after cleaning, at least 1"),
        (
            row("Why?", 4, messages=turns("Why?", "x" * 31)),
            "a text of 31 characters, at most 30 are allowed (prepare.clean.max_",
        ),
        (row("ok", 4, messages=turns("ok", "better"), rejected="y" * 40), "a text of 40 characters"),
    ],
)
def test_a_row_that_is_too_short_or_too_long_is_rejected_with_its_number(example, reason):
    fault = Cleaner(CleanRules(max_characters=30)).clean(example)
    assert isinstance(fault, RowFault)
    assert fault.number == 4
    assert fault.reason.startswith(reason)


def test_lengths_count_what_is_left_after_cleaning():
    cleaner = Cleaner(CleanRules(min_characters=4, max_characters=5, whitespace=True))
    assert cleaner.clean(row("abc       def")).reason.startswith("a text of 7")
    assert cleaner.clean(row("  ab  cd  ")).text == "ab cd"


def test_rows_in_other_languages_are_rejected_and_short_ones_kept():
    cleaner = Cleaner(CleanRules(languages=("en", "fr")))
    assert isinstance(cleaner.clean(row("The tenant shall pay the rent on the first day of each month.")), Example)
    assert isinstance(cleaner.clean(row("Le locataire paie son loyer le premier jour de chaque mois.")), Example)
    assert isinstance(cleaner.clean(row("Danke schön!")), Example)
    assert isinstance(cleaner.clean(row("10.5 20.1 33.4 2023-01-02 12:33 99.1")), Example)
    fault = cleaner.clean(row("Der Mieter zahlt die Miete am ersten Tag eines jeden Monats.", 9))
    assert fault.number == 9
    assert fault.reason.startswith("the language is de (probability 1.00), not en or fr")
    assert count(cleaner, "languages").notes == ("de: 1",)


def test_the_summary_counts_rows_and_shows_at_most_five_places():
    cleaner = Cleaner(CleanRules())
    for i in range(8):
        cleaner.clean(row("x" * 200 + "\u200b\n" + "y" * 200, i, messages=turns("x" * 200 + "\u200b\n", "z\u200b")))
    control = count(cleaner, "control")
    assert control.rows == 8
    assert [change.row for change in control.examples] == [0, 1, 2, 3, 4]
    assert control.examples[0].before == "x" * 20 + "\\u200b\\n" + "y" * 58
    assert control.examples[0].after == "x" * 20 + "\\n" + "y" * 59
    assert count(cleaner, "unicode").rows == 0


def test_an_excerpt_cannot_act_on_the_terminal_that_shows_it():
    cleaner = Cleaner(CleanRules(max_characters=5))
    fault = cleaner.clean(row("\x1b[31mred" + "\x1b" * 9 + "long text"))
    shown = [fault.excerpt, *(text for entry in cleaner.summary() for change in entry.examples for text in (change.before, change.after))]
    assert all(text.isprintable() for text in shown)


MARKS = "Ãâ©€™Â é\u0301\x92\x85\r\n\t \u200b\u200d\u200e\u202e\u00ad\x1b[m;&`~"
NASTY = st.text(
    st.one_of(st.characters(exclude_categories=["Cs"]), st.sampled_from(MARKS)),
    max_size=50,
)
PIECES = [
    "Ã",
    "©",
    "&Atilde;",
    "&copy;",
    "\u200b",
    "\r",
    "\n",
    "  ",
    "```",
    f"\n{FOOTER}\n",
    "x",
    "\x1b[",
    "31m",
    "\u00ad",
    "\u0958",
    "א",
    "\u200f",
]


@settings(max_examples=400, deadline=None)
@given(text=st.one_of(NASTY, st.lists(st.sampled_from(PIECES), max_size=14).map("".join)), whitespace=st.booleans())
def test_cleaning_twice_is_cleaning_once(text, whitespace):
    cleaner = Cleaner(CleanRules(whitespace=whitespace, boilerplate=True))
    cleaner.learn(row(f"row {i}\n{FOOTER}", i) for i in range(9))
    once = cleaner.clean(row(text, label=text, messages=turns(text, text)))
    if isinstance(once, Example):
        assert cleaner.clean(once) is once


def test_plain_text_costs_next_to_nothing():
    # one million rows in 30 s of CPU are 0.6 s here; it takes a tenth of that
    text = "The Supplier shall not be liable for indirect loss, and the Customer agrees to that in writing, too."
    rows = [row(text, i) for i in range(20_000)]
    cleaner = Cleaner(CleanRules())
    start = time.process_time()
    assert all(cleaner.clean(example) is example for example in rows)
    assert time.process_time() - start < 0.6
