"""Stand-ins are nobody's: reserved, or refused by every authority's own check."""

from __future__ import annotations

import ipaddress
import re

import pytest

from hatrack.safety.stand_ins import FAMILY, GIVEN, PHONES, STAND_IN, TOWNS, StandIns


def many(kind, value, country=None, count=60):
    stand_ins = StandIns(3, "", [])
    # other values of the same shape: only whether it is the same value matters
    return [stand_ins.get(kind, value[:-2] + f"{number:02d}", country) for number in range(count)]


def test_addresses_are_in_the_ranges_reserved_for_documents():
    nets = [ipaddress.ip_network(net) for net in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24")]
    for stand_in in many("IP_ADDRESS", "86.121.97.248"):
        assert any(ipaddress.ip_address(stand_in) in net for net in nets)
    six = StandIns(3, "", []).get("IP_ADDRESS", "2a00::17", None)
    assert ipaddress.ip_address(six) in ipaddress.ip_network("2001:db8::/32")
    assert StandIns(3, "", []).get("MAC_ADDRESS", "3c-22-fb-9a-01-7e", None).startswith("00-00-5E-00-53-")
    assert all(stand_in.endswith("@example.com") for stand_in in many("EMAIL_ADDRESS", "a.b@kolo.or10"))
    assert StandIns(3, "", []).get("URL", "https://www.kolo.org/x", None) == "https://www.site1.example.com"


@pytest.mark.parametrize(("country", "form"), [*((c, f) for c, f in PHONES.items()), ("US", "555-01"), (None, "555-01")])
def test_telephone_numbers_are_set_aside_for_fiction(country, form):
    for stand_in in many("PHONE_NUMBER", "541-714-1388", country, 20):
        assert form.split("{")[0] in stand_in
        assert STAND_IN.fullmatch(stand_in)


def test_a_part_of_a_name_seen_before_becomes_that_part():
    stand_ins = StandIns(3, "", [])
    given, family = stand_ins.get("PERSON", "Ada B. Kolo", None).split()
    assert given in GIVEN
    assert family in FAMILY
    assert stand_ins.get("PERSON", "Kolo", None) == family
    assert stand_ins.get("PERSON", "ada", None) == given.lower()
    assert stand_ins.get("PERSON", "ADA B. KOLO", None) == f"{given} {family}".upper()
    assert stand_ins.get("PERSON", "Brin Kosta", None) not in (given, family, f"{given} {family}")


def test_more_people_than_there_are_names_get_numbers():
    stand_ins = StandIns(3, "", [])
    made = {stand_ins.get("PERSON", f"Kolo{number}", None) for number in range(60)}
    assert len(made) == 60
    assert any(re.fullmatch(r"<PERSON_\d+>", stand_in) for stand_in in made)


def test_places_keep_whether_they_are_a_street():
    stand_ins = StandIns(3, "", [])
    assert stand_ins.get("LOCATION", "Kenosha", None) in TOWNS
    street = stand_ins.get("LOCATION", "12 Rue X, 75001 Paris", None)
    assert re.fullmatch(r"\d+ \w+ Lane, \w+", street)
    assert STAND_IN.fullmatch(street)


@pytest.mark.parametrize("kind", ["AGE", "DATE_OF_BIRTH", "US_SSN", "CREDIT_CARD", "IBAN_CODE", "FR_NIR", "ANYTHING_ELSE"])
def test_what_nothing_is_reserved_for_is_numbered(kind):
    stand_ins = StandIns(3, "", [])
    assert [stand_ins.get(kind, value, None) for value in ("38", "39", "38")] == [f"<{kind}_1>", f"<{kind}_2>", f"<{kind}_1>"]


@pytest.mark.parametrize(
    "kind", ["EMAIL_ADDRESS", "URL", "PHONE_NUMBER", "IP_ADDRESS", "MAC_ADDRESS", "PERSON", "LOCATION", "ORGANIZATION"]
)
@pytest.mark.parametrize("country", [None, "US", "FR", "DE", "GB", "IN"])
def test_every_form_that_is_made_is_known_again(kind, country):
    for value in ("Ada Kolo 1", "12 Rue X, Paris", "a:b::1", "www.kolo.org://"):
        made = StandIns(3, "", []).get(kind, value, country)
        assert STAND_IN.fullmatch(made), made


@pytest.mark.parametrize(
    "value", ["Ada Kolo", "Alex", "Paris", "j.doe@kolo.org", "a@example.com.org", "212-736-5000", "86.121.97.248", "Foxlade-Kolo"]
)
def test_what_is_somebodys_is_no_stand_in(value):
    assert STAND_IN.search(value) is None
