"""What every recogniser and every country pack promises; a new one is tested here by being in the table."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hatrack.core.errors import ConfigError, MissingExtra
from hatrack.safety.recognisers.base import RECOGNISERS
from hatrack.safety.recognisers.packs.base import PACKS
from hatrack.safety.recognisers.patterns import Patterns
from hatrack.safety.recognisers.scan import ACCEPTED, Scanner

COUNTRIES = ("US", "IN", "FR", "GB", "DE")
TEXT = "Dear 😀 Ms Kolo, e\u0301 your card 4248 7193 6504 8270, SSN 219-45-6783; write to j.doe@kolo.org.\nसादर"
WANTED = {("CREDIT_CARD", "4248 7193 6504 8270"), ("US_SSN", "219-45-6783"), ("EMAIL_ADDRESS", "j.doe@kolo.org")}
UPPER_SNAKE = re.compile(r"[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)*")
texts = st.text(st.sampled_from("aZ09 .@-:/+(),\n<>_é\u0301😀न\u0000"), max_size=80)

every_pack = pytest.mark.parametrize("name", PACKS.names())


@pytest.fixture(scope="module", params=RECOGNISERS.names())
def recogniser(request):
    try:
        return RECOGNISERS.get(request.param)(COUNTRIES)
    except MissingExtra as error:
        pytest.skip(error.fix)


def test_it_finds_the_plain_things_at_the_right_place(recogniser):
    assert {(f.type, TEXT[f.start : f.end]) for f in recogniser.find(TEXT)} >= WANTED


@settings(max_examples=60, deadline=None)
@given(text=texts)
def test_findings_are_inside_in_order_apart_and_of_the_types_it_names(recogniser, text):
    at = 0
    for finding in recogniser.find(text):
        assert at <= finding.start < finding.end <= len(text)
        assert finding.type in recogniser.types
        assert ACCEPTED <= finding.score <= 1
        assert finding.country in (None, *COUNTRIES)
        at = finding.end


@settings(max_examples=20, deadline=None)
@given(text=texts)
def test_the_same_text_gives_the_same_findings(recogniser, text):
    assert recogniser.find(text) == recogniser.find(text)


def test_nothing_is_found_in_nothing(recogniser):
    assert recogniser.find("") == []
    assert recogniser.find(" \n\t") == []


def test_types_are_in_upper_snake_case(recogniser):
    assert all(UPPER_SNAKE.fullmatch(kind) for kind in recogniser.types)


def test_an_unknown_country_is_refused_with_the_known_ones():
    for name in RECOGNISERS.names():
        try:
            with pytest.raises(ConfigError, match="DE, FR, GB, IN, US"):
                RECOGNISERS.get(name)(("US", "XX"))
        except MissingExtra as error:
            pytest.skip(error.fix)


@every_pack
def test_a_pack_is_of_its_country_and_its_rules_can_be_reached(name):
    pack = PACKS.get(name)
    assert pack.country == name
    assert pack.rules
    for rule in pack.rules:
        assert UPPER_SNAKE.fullmatch(rule.type)
        assert max(rule.alone, rule.near) >= ACCEPTED, f"{rule.type} is never reported"
        assert (rule.near > 0) == bool(rule.words), f"{rule.type}: a score with words near needs words, and the other way round"
        assert rule.needs or rule.digits > 0
        Scanner([pack])


@every_pack
def test_a_pack_alone_brings_its_types_and_no_other_countrys(name):
    types = Patterns((name,)).types
    others = {rule.type for other in PACKS.names() if other != name for rule in PACKS.get(other).rules}
    own = {rule.type for rule in PACKS.get(name).rules} | Patterns(()).types
    assert types == own
    assert not types & (others - own)
