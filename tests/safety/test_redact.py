"""Redaction: what stays, what goes, what is the same, and that no value ever shows up where it should not."""

from __future__ import annotations

import dataclasses
import json
import logging
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hatrack.core.config_prepare import PiiPolicy
from hatrack.core.errors import ConfigError, MissingExtra
from hatrack.safety.redact import DOCUMENTS, Redactor, hidden
from hatrack.safety.stand_ins import PLACEHOLDER, STAND_IN

VALUES = (
    "j.doe@kolo.org",
    "4248 7193 6504 8270",
    "219-45-6783",
    "DE10370400440471936502",
    "212-736-5000",
    "86.121.97.248",
    "3c:22:fb:9a:01:7e",
    "https://kolo.org/j.doe",
    "27BQTPX4821K1ZX",
    "SW1A 1AA",
    "DE284719361",
    "+91 98271 93650",
    "01 84 17 61 18",
    "17zZrrLqbmyzoGH9HAn4pFSRXMXsZj5yWd",
)
PIECES = (
    *VALUES,
    "the phone",
    "routing number",
    "065314281",
    "account",
    "48271936",
    "SSN",
    "219456783",
    "born",
    "12/05/1980",
    "ZIP",
    "53650",
    "é\u0301",
    "😀",
    "नमस्ते",
    "<PERSON>",
    "<US_SSN_2>",
    "Section 11.1.1.4",
    "in 1990",
    "(",
    ",",
    "\n",
    "and so on and on and on and on",
)
documents = st.lists(st.lists(st.sampled_from(PIECES), max_size=12).map(" ".join), min_size=1, max_size=3)
ROW = [f"{number} {value} is here" for number, value in zip("abcdefghijklmn", VALUES, strict=True)]

masking = Redactor(PiiPolicy(mode="mask"))
standing_in = Redactor(PiiPolicy(mode="pseudonym"), seed=5)
both = pytest.mark.parametrize("redactor", [masking, standing_in], ids=["mask", "pseudonym"])


def between(text, findings):
    """The parts of a text outside the findings."""
    at, parts = 0, []
    for finding in findings:
        parts.append(text[at : finding.start])
        at = finding.end
    return [*parts, text[at:]]


@settings(max_examples=150, deadline=None)
@given(texts=documents)
def test_masking_leaves_every_character_outside_the_findings(texts):
    done = masking.apply(texts)
    for before, after, findings in zip(texts, done.texts, done.findings, strict=True):
        parts = between(before, findings)
        assert after == "".join(part + (f"<{f.type}>" if f else "") for part, f in zip(parts, [*findings, None], strict=True))


@settings(max_examples=150, deadline=None)
@given(texts=documents)
def test_stand_ins_leave_every_character_outside_the_findings(texts):
    done = standing_in.apply(texts)
    for before, after, findings in zip(texts, done.texts, done.findings, strict=True):
        assert re.fullmatch(".*".join(map(re.escape, between(before, findings))), after, re.DOTALL)


@both
@settings(max_examples=150, deadline=None)
@given(texts=documents)
def test_redacting_twice_changes_nothing(redactor, texts):
    once = redactor.apply(texts)
    again = redactor.apply(once.texts)
    assert again.texts == once.texts
    assert not any(again.findings)


@both
def test_no_value_is_left(redactor):
    after = "\n".join(redactor.apply(ROW).texts)
    assert [value for value in VALUES if value in after] == []


def test_a_mask_names_the_type():
    assert masking.apply(["Write to j.doe@kolo.org."]).texts == ("Write to <EMAIL_ADDRESS>.",)


def test_the_same_value_has_one_stand_in_in_all_texts_of_a_document():
    texts = ["call 541-714-1388 or j.doe@kolo.org", "again (541) 714-1388, J.Doe@kolo.org", "and 541-714-1389"]
    first, second, third = standing_in.apply(texts).texts
    phone, mail = re.fullmatch(r"call (\S+) or (\S+)", first).groups()
    assert second == f"again {phone}, {mail}"
    assert third != f"and {phone}"


def test_the_seed_and_the_document_decide_the_names_and_the_value_does_not():
    text = "write to {} about the lamp"
    one = standing_in.apply([text.format("j.doe@kolo.org")]).texts
    assert Redactor(PiiPolicy(mode="pseudonym"), seed=5).apply([text.format("j.doe@kolo.org")]).texts == one
    assert standing_in.apply([text.format("someone.else@mail.kolo.net")]).texts == one  # nothing of the value is in it
    seeds = {Redactor(PiiPolicy(mode="pseudonym"), seed=seed).apply([text.format("j.doe@kolo.org")]).texts for seed in range(8)}
    assert len(seeds) > 4
    rest = {standing_in.apply([f"write to j.doe@kolo.org about lamp {word}"]).texts[0].split()[2] for word in ("a", "b", "c", "d", "e")}
    assert len(rest) > 2


def test_a_stand_in_that_stands_in_the_document_already_is_not_used_for_another():
    taken = standing_in.apply(["phone 212-736-5000"]).texts[0].split()[1]
    texts = [f"phone 212-736-5000 {taken}", *(f"phone 212-736-500{n}" for n in range(1, 9))]
    after = standing_in.apply(texts).texts
    phones = [word for text in after for word in text.split()[1:]]
    assert len(set(phones)) == len(phones) == 10


def test_rows_of_one_document_share_their_stand_ins_and_other_documents_do_not():
    redactor = Redactor(PiiPolicy(mode="pseudonym"), seed=5)
    texts = [f"write to j.doe@kolo.org about {thing}" for thing in ("the lamp", "the desk", "the roof")]
    first, second, third = (
        redactor.apply([text], document=name).texts[0].split()[2] for text, name in zip(texts, ("a", "b", "a"), strict=True)
    )
    assert first == third != second
    alone = [standing_in.apply([text]).texts[0].split()[2] for text in texts]
    assert alone[0] == first
    assert alone[2] != first  # rows that are no document's have stand-ins of their own


def test_documents_are_not_remembered_without_end_nor_their_stand_ins_used_twice():
    redactor = Redactor(PiiPolicy(mode="pseudonym"), seed=5)
    for number in range(3 * DOCUMENTS):
        redactor.apply([f"phone 212-736-5000 of {number}"], document=str(number))
    assert len(redactor._documents) == DOCUMENTS
    redactor = Redactor(PiiPolicy(mode="pseudonym"), seed=5)
    phones = [redactor.apply([f"phone 212-736-50{n:02d}"], document="a").texts[0].split()[1] for n in range(20)]
    assert len(set(phones)) == 20


def test_report_and_off_change_nothing_and_drop_says_so():
    report = Redactor(PiiPolicy(mode="report")).apply(ROW)
    assert report.texts == tuple(ROW)
    assert all(report.findings)
    assert not report.dropped
    drop = Redactor(PiiPolicy(mode="drop"))
    assert drop.apply(ROW).dropped
    assert not drop.apply(["nothing here"]).dropped
    off = Redactor(PiiPolicy(mode="off", recogniser="presidio")).apply(ROW)  # and it asks for no model
    assert off.texts == tuple(ROW)
    assert not any(off.findings)


def test_only_the_types_asked_for_are_touched():
    redactor = Redactor(PiiPolicy(mode="mask", types=("US_SSN",)))
    assert redactor.apply(["219-45-6783 j.doe@kolo.org"]).texts == ("<US_SSN> j.doe@kolo.org",)


def test_findings_have_the_offsets_of_the_text_that_was_given():
    # the first value is long: once it is masked, "routing" is near enough to the second
    text = "routing " + "see https://kolo.org/" + "a" * 60 + " then 065314281 and 😀 219-45-6783"
    done = masking.apply([text])
    assert [text[f.start : f.end] for f in done.findings[0]] == ["https://kolo.org/" + "a" * 60, "065314281", "219-45-6783"]
    assert done.texts == ("routing see <URL> then <ABA_ROUTING_NUMBER> and 😀 <US_SSN>",)


def test_all_faults_of_a_policy_come_together_with_the_nearest_name():
    with pytest.raises(ConfigError) as error:
        Redactor(PiiPolicy(mode="mask", countries=("UK", "XX", "fr"), recogniser="pattern"))
    assert error.value.faults == (
        "there is no country 'UK'; did you mean GB?",
        "there is no country 'XX'; known are DE, FR, GB, IN, US",
        "there is no country 'fr'; did you mean FR?",
        "there is no recogniser 'pattern'; did you mean patterns?",
    )
    with pytest.raises(ConfigError, match=r"there is no type 'EMAIL'; did you mean EMAIL_ADDRESS\?"):
        Redactor(PiiPolicy(types=("EMAIL",)))
    with pytest.raises(ConfigError, match="there is no type 'IN_PAN'"):
        Redactor(PiiPolicy(types=("IN_PAN",), countries=("FR",)))


@pytest.mark.parametrize(
    ("recogniser", "mode"), [*(("patterns", mode) for mode in ("report", "mask", "pseudonym", "drop")), ("presidio", "pseudonym")]
)
def test_nothing_found_is_ever_logged_printed_or_put_in_a_repr(recogniser, mode, capfd, caplog):
    caplog.set_level(logging.DEBUG)
    try:
        redactor = Redactor(PiiPolicy(mode=mode, recogniser=recogniser))
    except MissingExtra as error:
        pytest.skip(error.fix)
    done = redactor.apply(ROW)
    changes = redactor.preview(ROW, 100)
    assert len(changes) >= len(VALUES)
    shown = [repr(done), str(done), repr(redactor), *map(str, changes)]
    shown.append(json.dumps([dataclasses.asdict(change) for change in changes], ensure_ascii=False))
    out, err = capfd.readouterr()
    said = out + err + caplog.text + "".join(repr(record.__dict__) for record in caplog.records) + "".join(shown)
    assert [value for value in VALUES if value in said] == []


def test_a_preview_shows_first_character_and_length_and_what_comes():
    change = masking.preview(["", "to j.doe@kolo.org"], 5)[0]
    assert dataclasses.asdict(change) == {
        "text": 1,
        "type": "EMAIL_ADDRESS",
        "country": None,
        "score": 0.98,
        "shown": "j… (14 characters)",
        "becomes": "<EMAIL_ADDRESS>",
    }
    assert [piece if isinstance(piece, str) else piece.shown for piece in masking.marked(["to j.doe@kolo.org now"])[0]] == [
        "to ",
        "j… (14 characters)",
        " now",
    ]
    assert Redactor(PiiPolicy(mode="report")).preview(ROW, 3)[0].becomes == ""
    assert len(masking.preview(ROW, 3)) == 3
    assert hidden("") == "… (0 characters)"


def test_a_preview_says_what_apply_does():
    for redactor in (masking, standing_in):
        done, changes = redactor.apply(ROW), redactor.preview(ROW, 100)
        assert [(c.text, c.type) for c in changes] == [(n, f.type) for n, some in enumerate(done.findings) for f in some]
        assert all(change.becomes in done.texts[change.text] for change in changes)


@settings(max_examples=150, deadline=None)
@given(texts=documents)
def test_whatever_is_put_in_is_a_placeholder_or_a_stand_in(texts):
    for change in standing_in.preview(texts, 1000):
        assert PLACEHOLDER.fullmatch(change.becomes) or STAND_IN.fullmatch(change.becomes)
