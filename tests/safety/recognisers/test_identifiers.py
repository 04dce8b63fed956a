"""Every identifier: a valid one is found whole, a broken one and what only looks like it are not. All numbers are invented."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pytest
import stdnum

from hatrack.safety.recognisers.packs.base import PACKS
from hatrack.safety.recognisers.packs.iban import LENGTHS
from hatrack.safety.recognisers.packs.world import PACK as WORLD
from hatrack.safety.recognisers.patterns import Patterns

COUNTRIES = ("US", "IN", "FR", "GB", "DE")


@dataclass(frozen=True)
class Case:
    """``{}`` in ``sentence`` takes the value. ``others`` are whole sentences in which the type must not be found."""

    type: str
    sentence: str
    valid: tuple[str, ...]
    broken: tuple[str, ...] = ()
    others: tuple[str, ...] = ()


CASES = (
    Case(
        "EMAIL_ADDRESS",
        "Write to {}, please.",
        ("j.doe+news@mail.kolo.org", "Ünal@müller.de", "a@b.co", "x_1%y@xn--mller-kva.de"),
        ("j.doe@localhost", "@kolo.org", "j.doe@", "j.doe@kolo", "j doe @kolo.org"),
        ("Meet me @ noon.", "a @b decorator"),
    ),
    Case(
        "URL",
        "See {}.",
        ("https://www.kolo.org/a?b=1&c=%20#d", "http://kolo.org", "www.kolo.org/x.html", "https://kolo.org/a_(b", "ftp://kolo.org/f.txt"),
        ("http://localhost", "https://", "www."),
        ("The ratio a://b is nothing.", "and/or, i.e. this."),
    ),
    Case(
        "IP_ADDRESS",
        "It came from {}, they say.",
        ("86.121.97.248", "192.168.1.77", "2001:db8:85a3::8a2e:370:7334", "fe80::1ff:fe23:4567:890a", "fd12::7"),
        ("86.121.97.256", "86.121.97", "1.86.121.97.248.5", "2001:db8:::1", "12345::1"),
        (
            "As set forth in Section 11.1.1.4, the parties agree.",
            "version 2.3.3.4 of it",
            "at 10:30:15 sharp",
            "std::vector and a::b",
            "abc::de",
        ),
    ),
    Case("IP_ADDRESS", "The host {} is down.", ("10.1.2.3",), ("10.1.2",)),
    Case(
        "MAC_ADDRESS",
        "Device {} joined.",
        ("3c:22:fb:9a:01:7e", "3C-22-FB-9A-01-7E", "ab:cd:ef:ab:cd:ef"),
        ("3c:22:fb:9a:01", "3c:22:fb:9a:01:7g", "3c:22-fb:9a:01:7e", "3c:22:fb:9a:01:7e:55"),
    ),
    Case(
        "CREDIT_CARD",
        "Charge {} today.",
        (
            "4248719365048270",
            "4248 7193 6504 8270",
            "5412-7193-6504-8277",
            "371498719365048",
            "3714 987193 65048",
            "6011719365048270",
            "30567193650480",
        ),
        ("4248719365048271", "4248 7193 6504 8271", "371498719365049", "4248 7193-6504 8270", "42487193650482", "14248719365048270"),
        ("Pi is 3.4248719365048270 or so.", "tracking 1Z4248719365048270"),
    ),
    Case("CREDIT_CARD", "My card {} is lost.", ("3522235032377454",), ("3522235032377455",), ("Parcel 3522235032377454 was sent.",)),
    Case(
        "IBAN_CODE",
        "Pay to {} now.",
        ("DE10370400440471936502", "DE10 3704 0044 0471 9365 02", "FR9220041010050471936M02606", "gb19qzvk20471947193650"),
        ("DE11370400440471936502", "DE1037040044047193650", "ZZ10370400440471936502", "FR9220041010050471936M02607"),
    ),
    Case(
        "CRYPTO",
        "Send it to {} then.",
        ("17zZrrLqbmyzoGH9HAn4pFSRXMXsZj5yWd", "0x52908400098527886e0f7030069857d2e4169ee7"),
        ("17zZrrLqbmyzoGH9HAn4pFSRXMXsZj5yWe", "0x52908400098527886e0f7030069857d2e4169ee", "17zZrrLqbmyzoGH9HAn4pFSRXMXsZj"),
    ),
    Case(
        "DATE_OF_BIRTH",
        "She was born on {} in a town.",
        ("12/05/1980", "1980-05-12", "12.05.80", "12 May 1980", "May 12, 1980", "3rd of June 1975"),
        ("45/45/1980", "12/05", "99/99/9999"),
        ("The contract of 12/05/1980 holds.", "Geboren wurde die Idee 1980."),
    ),
    Case("DATE_OF_BIRTH", "Née le {} à Lyon.", ("12 mai 1980", "1er août 1975", "12/05/1980")),
    Case("DATE_OF_BIRTH", "geb. am {} in Köln", ("12. Mai 1980", "12.05.1980", "3. März 1975")),
    Case(
        "PHONE_NUMBER",
        "The caller had {} then.",
        ("+46 8 928 571 38", "+41 44 668 18 00", "+447700900123", "+1-984-182-0190", "0688 872 49 99", "(212) 736-5000", "212.736.5000"),
        ("+0 44 668 18 00", "+46 8 92", "112-736-5000", "212-136-5000"),
        (
            "On 2008-12-04 it rained.",
            "ISBN 0-306-40615-2 is out of print.",
            "In 1990-1995 and 2000-2010 sales rose.",
            "USD 1.234.567 in all",
        ),
    ),
    Case("PHONE_NUMBER", "Please call {}.", ("60-56-85-91", "467 3395", "(37) 788-063", "9472 7916"), (), ("The code is 60-56-85-91.",)),
    Case("PHONE_NUMBER", "phone: {}", ("99668472", "2127365000"), ("12345",)),
    Case("ZIP_CODE", "ZIP: {}", ("53650", "7412 SL", "75534-030", "B0J 2H0"), (), ("zip it up", "postcode unknown")),
    Case("ZIP_CODE", "He lives in Kenosha, WI {}.", ("53140", "53140-1234"), ("5314", "531401"), ("The WI group of 53140 people", "OK 53")),
    Case("BANK_ACCOUNT", "account number {}", ("48271936", "482719365048"), ("4827",), ("on account of 1234567 reasons",)),
    Case("PASSPORT", "passport no. {}", ("L8271936", "24AB71936"), ("renewal", "AB1"), ("The passport office opened in 1999.",)),
    Case(
        "US_SSN",
        "It is {} on file.",
        ("219-45-6783",),
        ("000-45-6783", "666-45-6783", "219-00-6783", "219-45-0000", "219-456-783", "1219-45-6783", "219-45-6783-01"),
        ("It is 219456783 on file.",),
    ),
    Case("US_SSN", "SSN {}", ("219456783", "219 45 6783"), ("900456783", "000456783")),
    Case("US_PASSPORT", "US passport number {}", ("482719365", "L82719365"), ("48271936", "48271936X", "L8271936")),
    Case("US_ITIN", "ITIN {}", ("912-73-4456", "912734456"), ("912-13-4456", "812-73-4456")),
    Case("US_EIN", "EIN {}", ("12-3456701",), ("07-3456701", "12-345670"), ("Part 12-3456701 is in stock.",)),
    Case("ABA_ROUTING_NUMBER", "routing number {}", ("065314281",), ("065314282", "06531428"), ("Order 065314281 has shipped.",)),
    Case(
        "US_DRIVER_LICENSE",
        "My driver's license number is {}",
        ("2270-66-1551", "6940579", "D4827193", "W426-5458-9123"),
        ("suspended", "12"),
        ("He has a driver's license since 1999.",),
    ),
    Case(
        "IN_AADHAAR",
        "She gave {} there.",
        ("4827 1936 5043",),
        ("4827 1936 5044", "1827 1936 5043", "4827 1936 504"),
        ("She gave 482719365043 there.",),
    ),
    Case("IN_AADHAAR", "Aadhaar {}", ("482719365043",), ("482719365044",)),
    Case("IN_PAN", "Card {} of hers", ("BQTPX4821K",), ("BQTXX4821K", "BQTPX482K", "BQTPX48211"), ("SECTION4821K",)),
    Case("IN_GSTIN", "Invoice of {}", ("27BQTPX4821K1ZX",), ("27BQTPX4821K1ZY", "99BQTPX4821K1ZX")),
    Case("PHONE_NUMBER", "WhatsApp {} please", ("98271 93650", "+91 98271 93650", "09827193650")),
    Case("FR_SIREN", "SIREN {}", ("732148598", "732 148 598"), ("732148599",), ("Il y a 732 148 598 raisons.",)),
    Case("FR_SIRET", "Siège {}", ("73214859800012", "732 148 598 00012"), ("73214859800013", "732 148 598 00013")),
    Case("FR_NIR", "No. {}", ("285067511348222", "2 85 06 75 113 482 22"), ("285067511348223", "585067511348222", "285137511348222")),
    Case("FR_TVA", "Facture {}", ("FR19732148598", "FR 19 732 148 598"), ("FR20732148598", "FX19732148598")),
    Case(
        "PHONE_NUMBER",
        "Mon bureau, {} demain.",
        ("01 84 17 61 18", "01.84.17.61.18", "+33 1 84 17 61 18"),
        ("00 84 17 61 18", "01 84 17 61"),
    ),
    Case("UK_NHS", "NHS {}", ("614 208 3742", "6142083742"), ("614 208 3743", "6142083743"), ("Order 6142083742 arrived.",)),
    Case("UK_NINO", "He has {} there.", ("AB 48 27 19 C", "AB482719C"), ("BG482719C", "AB482719E", "DB482719C", "QB482719C", "AB48271C")),
    Case("UK_UTR", "UTR {}", ("2482913607", "24829 13607"), ("3482913607",), ("Order 2482913607 arrived.",)),
    Case("UK_VAT", "Invoice {}", ("GB741238506", "GB 741 2385 06"), ("GB741238507",), ("741 2385 06",)),
    Case("UK_VAT", "VAT no {}", ("741238506",), ("741238507",)),
    Case("UK_SORT_CODE", "sort code {}", ("20-47-19", "204719", "20 47 19"), ("20-47-1",), ("On 20-47-19 nothing happened.",)),
    Case(
        "UK_POSTCODE",
        "He lives in {} now.",
        ("SW1A 1AA", "M1 1AE", "EC1A 1BB", "b33 8th".upper()),
        ("QQ1 1AA", "SW1A 1CI", "SW1A 11A"),
        ("Flight BA2 490",),
    ),
    Case("PHONE_NUMBER", "My mobile is {}.", ("07700 123 456", "020 7123 4567", "0161 496 0999", "+44 20 7123 4567")),
    Case(
        "DE_TAX_ID", "Steuer-ID {}", ("48237196018", "48 237 196 018"), ("48237196019", "48 237 196 019"), ("Auftrag 48237196018 ist da.",)
    ),
    Case("DE_VAT_ID", "Rechnung {}", ("DE284719361", "DE 284 719 361"), ("DE284719362",)),
    Case("DE_ID_CARD", "Personalausweis {}", ("L4719X36T1", "L4719X36T"), ("L4719X36T2", "A4719X36T1"), ("Teil L4719X36T1 fehlt.",)),
    Case("PHONE_NUMBER", "Telefon {}", ("030 901820", "030/90 18 20", "(089) 1234567", "+49 89 1234567", "0049 151 23456789"), ("030",)),
)


@pytest.fixture(scope="module")
def patterns():
    return Patterns(COUNTRIES)


def found(patterns, text, kind):
    return [text[f.start : f.end] for f in patterns.find(text) if f.type == kind]


def one_by_one(field):
    return [pytest.param(case, value, id=f"{case.type}-{value}") for case in CASES for value in getattr(case, field)]


@pytest.mark.parametrize(("case", "value"), one_by_one("valid"))
def test_a_valid_one_is_found_whole(patterns, case, value):
    assert found(patterns, case.sentence.format(value), case.type) == [value]


@pytest.mark.parametrize(("case", "value"), one_by_one("broken"))
def test_a_broken_one_is_not_that_type(patterns, case, value):
    assert found(patterns, case.sentence.format(value), case.type) == []


@pytest.mark.parametrize(("case", "sentence"), one_by_one("others"))
def test_what_only_looks_like_it_is_left_alone(patterns, case, sentence):
    assert found(patterns, sentence, case.type) == []


def test_every_type_of_every_pack_has_a_case():
    packs = [WORLD, *(PACKS.get(name) for name in PACKS.names())]
    assert {case.type for case in CASES} >= {rule.type for pack in packs for rule in pack.rules} - {"LOCATION"}


def test_lengths_of_iban_are_those_of_the_registry():
    lines = Path(stdnum.__file__).with_name("iban.dat").read_text(encoding="utf-8").splitlines()
    registry = {
        m[1]: 4 + sum(map(int, re.findall(r"(\d+)!", m[2]))) for line in lines if (m := re.match(r'([A-Z]{2}) .*bban="([^"]*)"', line))
    }
    assert {country: length for length, countries in LENGTHS.items() for country in countries.split()} == registry


@pytest.mark.parametrize(
    "text", ["Meet me at PSC 1437, Box 3833\nAPO AA 66791.", "Unit 4719 Box 7394 DPO AP 70942", "USS Kolo\nFPO AE 09501"]
)
def test_mail_of_the_armed_forces_is_a_place(patterns, text):
    assert found(patterns, text, "LOCATION") == [text.removeprefix("Meet me at ").removesuffix(".")]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("My driver's license number is D4827193 AND I LOST IT", "D4827193"),
        ("ZIP 53650 USA", "53650"),
        ("(see https://kolo.org/a).", "https://kolo.org/a"),
        ("<j.doe@kolo.org>, later", "j.doe@kolo.org"),
        ("card=4248719365048270;", "4248719365048270"),
        ("IBAN DE10370400440471936502 OK", "DE10370400440471936502"),
        ("IBAN ES30 2100 0418 4247 1936 5027 OK THIS ONE", "ES30 2100 0418 4247 1936 5027"),
    ],
)
def test_what_follows_is_not_swallowed(patterns, text, value):
    assert [text[f.start : f.end] for f in patterns.find(text)] == [value]


def test_a_finding_names_its_country(patterns):
    text = "PAN BQTPX4821K, SSN 219-45-6783, write to a@b.co"
    assert {f.type: f.country for f in patterns.find(text)} == {"IN_PAN": "IN", "US_SSN": "US", "EMAIL_ADDRESS": None}


def test_a_country_that_was_not_asked_for_is_not_looked_for():
    assert Patterns(("FR",)).find("SSN 219-45-6783") == []
    assert "US_SSN" not in Patterns(("FR",)).types
