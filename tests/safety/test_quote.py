"""Quoting rows: no value, and no half of one, in excerpts, reasons and texts."""

from __future__ import annotations

import pytest

from hatrack.core.config_prepare import PiiPolicy
from hatrack.core.errors import MissingExtra
from hatrack.data.records import beginning
from hatrack.safety.quote import SHOWN, Quote, quote_for

MAIL = "jane.miller@corp-mail.com"
CARD = "4248 7193 6504 8270"


@pytest.mark.parametrize("mode", ["report", "mask", "pseudonym", "drop"])
def test_whatever_becomes_of_the_rows_their_quotations_are_masked(mode):
    quote = Quote(PiiPolicy(mode=mode))
    assert quote(f"write to {MAIL}") == "write to <EMAIL_ADDRESS>"
    assert quote.excerpt(f"write to {MAIL}") == "write to <EMAIL_ADDRESS>"
    assert quote.reason(f"id '{MAIL}' is already used in row 3") == "id '<EMAIL_ADDRESS>' is already used in row 3"


def test_where_nobody_is_to_look_everything_is_quoted_as_it_is():
    quote = Quote(PiiPolicy(mode="off", recogniser="presidio"))  # and no model is asked for
    assert (quote(MAIL), quote.excerpt(MAIL), quote.reason(MAIL)) == (MAIL, MAIL, MAIL)


@pytest.mark.parametrize("value", [MAIL, CARD])
def test_no_part_of_a_value_is_shown_wherever_the_text_is_cut(value):
    quote = Quote(PiiPolicy())
    for before in range(300):
        shown = quote.excerpt(beginning(("word " * 60)[:before] + f" card {value} and more " * 9))
        assert len(shown) <= SHOWN
        assert value[:6] not in shown


def test_no_half_of_a_value_is_shown_where_masks_are_much_shorter_than_values():
    quote, long = Quote(PiiPolicy()), "jane.elizabeth.miller@correspondence.corporation-mail.com"
    for before in range(len(long) + 1):
        shown = quote.excerpt(beginning("x" * before + " " + f"{long} " * 9))
        assert shown.endswith("…"), before
        assert "jane" not in shown, before


def test_a_row_without_personal_data_is_shown_up_to_its_limit():
    assert Quote(PiiPolicy()).excerpt(beginning("word " * 60)) == ("word " * 16)[: SHOWN - 1] + "…"
    assert Quote(PiiPolicy()).excerpt(beginning("a short row")) == "a short row"


def test_only_the_types_asked_for_are_masked_in_rows():
    assert Quote(PiiPolicy(types=("CREDIT_CARD",)))(f"{MAIL} {CARD}") == f"{MAIL} <CREDIT_CARD>"


def test_a_recogniser_of_names_sees_what_a_reason_quotes_and_not_our_own_words():
    quote = quote_for(PiiPolicy(recogniser="presidio"))
    try:
        said = quote.reason("column 'label' holds 'Barack Obama', known are Marta Kovacs; not valid JSON: Expecting value")
    except MissingExtra as error:
        pytest.skip(error.fix)
    assert "Obama" not in said
    assert said.startswith("column 'label' holds '<PERSON>', known are Marta Kovacs; not valid JSON")


def test_models_are_loaded_once_for_a_policy():
    assert quote_for(PiiPolicy()) is quote_for(PiiPolicy())
