"""The scan: context, offsets in any script, overlaps, and time that stays bounded whatever the text is."""

from __future__ import annotations

import itertools
import random
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hatrack.safety.recognisers.base import Finding, without_overlaps
from hatrack.safety.recognisers.packs.base import PACKS, Pack, Rule
from hatrack.safety.recognisers.packs.people import PACK as PEOPLE
from hatrack.safety.recognisers.packs.world import PACK as WORLD
from hatrack.safety.recognisers.patterns import Patterns
from hatrack.safety.recognisers.scan import Scanner

COUNTRIES = ("US", "IN", "FR", "GB", "DE")
ALL = Patterns(COUNTRIES)
EVERYTHING = Scanner([WORLD, PEOPLE, *(PACKS.get(name) for name in PACKS.names())])
SIZE = 400_000


def values(text):
    return [(f.type, text[f.start : f.end]) for f in ALL.find(text)]


def test_a_bare_number_needs_a_word_near_by():
    assert values("Order 065314281 was sent.") == []
    assert values("The routing number is 065314281.") == [("ABA_ROUTING_NUMBER", "065314281")]


def test_a_word_counts_before_and_behind():
    assert values("065314281 is our routing number") == [("ABA_ROUTING_NUMBER", "065314281")]


def test_a_word_far_away_does_not_count():
    assert values("The routing desk " + "went on and on " * 6 + "about parcel 065314281.") == []


def test_a_word_inside_another_word_does_not_count():
    assert values("Rerouting 065314281") == []


@pytest.mark.parametrize("before", ["", "Ü", "𝔘𝔫𝔦 😀 ", "e\u0301tude ", "नमस्ते ", "\u202emirrored\u202c ", "a\u0000b "])
def test_offsets_count_code_points_in_any_script(before):
    text = f"{before} 😀a@kolo.org😀 e\u0301 4248719365048270 𝔘"
    assert [text[f.start : f.end] for f in ALL.find(text)] == ["a@kolo.org", "4248719365048270"]


def test_the_surer_finding_wins_then_the_longer_then_the_first():
    def finding(kind, start, end, score):
        return Finding(kind, start, end, score)

    sure, long, short = finding("A", 5, 8, 0.9), finding("B", 0, 7, 0.8), finding("C", 0, 3, 0.8)
    assert without_overlaps([long, short, sure]) == [short, sure]
    assert without_overlaps([short, long]) == [long]
    assert without_overlaps([finding("Z", 0, 3, 0.8), short]) == [short]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 40), st.integers(1, 9), st.sampled_from([0.5, 0.7, 0.9])), max_size=30))
def test_what_is_kept_is_in_order_and_apart_and_nothing_more_would_fit(spans):
    findings = [Finding("T", start, start + length, score) for start, length, score in spans]
    kept = without_overlaps(findings)
    assert all(one.end <= two.start for one, two in itertools.pairwise(kept))
    for left in set(findings) - set(kept):
        assert any(left.start < one.end and one.start < left.end and one.score >= left.score for one in kept)


def test_a_value_that_fails_its_check_does_not_hide_the_one_behind_it():
    assert values("1111 4248 7193 6504 8270") == [("CREDIT_CARD", "4248 7193 6504 8270")]
    assert values("1234 4248719365048270") == [("CREDIT_CARD", "4248719365048270")]


def test_lists_of_numbers_are_found_one_by_one():
    text = "SSN 219-45-6783, 219-45-6784; 219-45-6785\n219-45-6786"
    assert [kind for kind, _ in values(text)] == ["US_SSN"] * 4


def made(alphabet, seed=7):
    rng = random.Random(seed)
    return "".join(rng.choices(alphabet, k=SIZE))


HOSTILE = {
    "digits": made("0123456789"),
    "digits and spaces": made("01 "),
    "digits and dots": made("0123456789."),
    "digits and signs": made("0123456789.-/() +"),
    "one and space": "1 " * (SIZE // 2),
    "one and dash": "1-" * (SIZE // 2),
    "at": "a@" * (SIZE // 2),
    "long local part": "a" * (SIZE - 2) + "@b",
    "dots before at": "a." * (SIZE // 2 - 1) + "@b",
    "labels of hosts": "x@" + "a." * (SIZE // 2),
    "schemes": "http://www." * (SIZE // 11),
    "dots in an address": "http://a" + "." * SIZE,
    "colons": "a:1" * (SIZE // 3),
    "hex": made("0123456789abcdefABCDEF:-"),
    "letters": made("abcdefXYZ"),
    "upper case and digits": made("ABCXYZ0123456789"),
    "everything": made("0123456789.@ abAB-:/()+'\n"),
    "spaces": " " * SIZE,
    "labels": "driver's license number is " * (SIZE // 27),
    "labels and digits": "phone 1 account 2 born 3/ " * (SIZE // 26),
    "months": "1 January " * (SIZE // 10),
    "plus": "+1" * (SIZE // 2),
    "open brackets": "(1" * (SIZE // 2),
    "titles": "Mr. " * (SIZE // 4),
    "ships": "USS " + "a " * (SIZE // 2),
}


@pytest.mark.parametrize("text", [pytest.param(text, id=name) for name, text in HOSTILE.items()])
def test_hostile_text_takes_seconds_at_most(text):
    start = time.process_time()
    EVERYTHING.find(text)
    assert time.process_time() - start < 10  # 2 at most where it was written; a pattern that goes back takes hours


def test_a_rule_is_tried_only_where_enough_digits_stand():
    tried = []
    rule = Rule("T", r"\d{2,9}", 1.0, digits=5, check=lambda value: bool(tried.append(value)))
    Scanner([Pack(None, (rule,))]).find("in 1990 there were 12" + " and so on" * 8 + " 48271936")
    assert tried == ["48271936"]


def test_text_without_anything_costs_next_to_nothing_and_realistic_text_is_read_fast_enough():
    row = "Dear Ms Kolo, your card 4248 7193 6504 8270 was charged 12.50 on 12/05/2020; write to help@kolo.org or call 212-736-5000. "
    text = (row + "Nothing else happened in the course of the year, and we wish you a pleasant day in any case. " * 3) * 500
    start = time.process_time()
    found = ALL.find(text)
    assert len(found) == 1500
    # the benchmark asks for 500,000 on a quiet machine; what grows with the square is far below both
    assert len(text) / (time.process_time() - start) > 100_000
