"""What looks the same everywhere: addresses of the net, cards, IBAN, numbers that a label explains."""

from __future__ import annotations

from stdnum import luhn, mac

from hatrack.safety.recognisers.packs.base import Pack, Rule
from hatrack.safety.recognisers.packs.checks import card, crypto, date, digit_count, iban_code, ip_address, mixed
from hatrack.safety.recognisers.packs.iban import IBAN

__all__ = ["DATE", "PACK", "PASSPORT_LABEL", "PHONE_WORDS"]

PHONE_WORDS = (
    r"(?:tele)?phones?|phone ?numbers?|tel|mobile|cell(?:phone|ular)?|landline|fax|office|direct|ext(?:ension)?|call(?:ed|ing|s)?|dial|"
    r"ring|text|sms|whatsapp|messages?|(?:my|your|his|her|our|their) number|contact|reach(?:ed)?|hotline|helpline|registered|"
    r"téléphone|tél|portable|appelez|appeler|joindre|telefon|handy|mobil|festnetz|rückruf|anrufen|फ़ोन|मोबाइल"
)
MONTH = (
    r"(?i:jan(?:uary|vier|uar)?|fe?[bv](?:r?uary|rier|ruar)?|f[ée]vr?(?:ier)?|mar(?:ch|s)?|märz|a[pv]r(?:il)?|ma[iy]|june?|juin|juni|"
    r"jul[iy]?|juil(?:let)?|aug(?:ust)?|août|sept?(?:ember|embre)?|o[ck]t(?:ober|obre)?|nov(?:ember|embre)?|d[eé][cz](?:ember|embre)?)"
)
DATE = (
    r"(?:\d{1,4}[/.\-]\d{1,2}[/.\-]\d{1,4}"
    rf"|\d{{1,2}}(?:st|nd|rd|th|er|\.)?[ \-](?:of )?{MONTH}\.?,?[ \-]\d{{4}}"
    rf"|{MONTH}\.? \d{{1,2}}(?:st|nd|rd|th)?,? \d{{4}})"
)
BORN = (
    r"(?i:born(?: on)?|d\.?o\.?b\.?|date of birth|birth ?(?:date|day)|né(?:e|\(e\))? le|date de naissance|geboren(?: am)?|geb\.(?: am)?|"
    r"geburts(?:datum|tag))"
)
COUNTRY_CODE = (
    r"(?:1|7|2(?:0|7|[1-689]\d)|3(?:[0-469]|[578]\d)|4(?:[013-9]|2\d)|5(?:[1-8]|0\d|9\d)|6(?:[0-6]|[7-9]\d)|8(?:[1246]|[058]\d)|"
    r"9(?:[0-58]|[679]\d))"
)

PASSPORT_LABEL = r"(?i:passe?port|reisepass|passnummer)(?i:\s(?:number|no\.?|num|nr\.?|is|card|numéro|n°)){0,3}[\s:#.]{0,3}"
IPV4 = r"(?:\d{1,3}\.){3}\d{1,3}"
CARD_WORDS = r"cards?|credit|debit|cc|visa|mastercard|amex|carte|karte|kreditkarte"
NET_WORDS = r"ip(?:v4)?|ips|host|server|gateway|router|subnet|dns|ping|client|login|addr(?:ess|esse)?"
# A dot in the host belongs to the pattern and is no check afterwards: a long match that is refused is a long way lost.
URL_HOST = r"(?=(?:[^\s/?#@]{1,64}@)?[^\s/?#:.@]{1,63}\.[^\s/?#:.])"
# a punctuation mark belongs to an address of the web only when something follows
URL_EDGE = r"[.,;:!?)\]]"
URL_INSIDE = r"[^\s<>\"'|\\^`{}.,;:!?)\]]"

PACK = Pack(
    None,
    (
        Rule(
            "EMAIL_ADDRESS",
            r"(?<![.%+\-])[\w.%+\-]{1,64}@(?:[^\W_](?:[^\W_]|-){0,62}\.){1,6}(?:[^\W\d_]{2,24}|xn--[a-z0-9\-]{2,40})",
            alone=0.98,
            needs=("@",),
        ),
        Rule(
            "URL",
            rf"(?i:(?:https?|ftp)://|www\.){URL_HOST}(?:{URL_INSIDE}++|{URL_EDGE}++(?={URL_INSIDE}))++",
            alone=0.9,
            needs=("://", "www.", "WWW."),
        ),
        # small numbers with dots are clauses and versions unless a word says otherwise
        Rule("IP_ADDRESS", rf"{IPV4}", near=0.8, words=NET_WORDS, check=ip_address),
        Rule("IP_ADDRESS", rf"(?=[\d.]{{0,12}}(?:6[4-9]|[7-9]\d|1\d\d|2[0-5]\d)(?!\d)){IPV4}", 0.8, check=ip_address),
        Rule("IP_ADDRESS", r"(?<!:)(?:[0-9A-Fa-f]{1,4}:{1,2}){1,7}[0-9A-Fa-f]{1,4}(?!:)", 0.8, check=ip_address, needs=(":",)),
        Rule(
            "MAC_ADDRESS",
            r"(?<![0-9A-Fa-f][:\-])[0-9A-Fa-f]{2}([:\-])(?:[0-9A-Fa-f]{2}\1){4}[0-9A-Fa-f]{2}(?![:\-][0-9A-Fa-f])",
            alone=0.85,
            check=mac.is_valid,
            needs=(":", "-"),
        ),
        Rule("CREDIT_CARD", r"\d{4}([ \-]?)\d{4}\1\d{4}\1\d{1,7}|\d{12,13}", alone=0.9, check=card, digits=12),
        Rule("CREDIT_CARD", r"\d{4}([ \-])\d{6}\1\d{4,5}", alone=0.9, check=card, digits=14),
        Rule(
            "CREDIT_CARD",
            r"\d{12,19}",
            near=0.85,
            words=r"(?:credit|debit|bank)? ?cards?|cc|visa|mastercard|amex",
            check=luhn.is_valid,
            digits=12,
        ),
        Rule("IBAN_CODE", IBAN, alone=1.0, check=iban_code, digits=8),
        Rule("CRYPTO", r"[13][1-9A-HJ-NP-Za-km-z]{25,34}|bc1[02-9ac-hj-np-z]{11,71}", alone=1.0, check=crypto, needs=("1", "3")),
        Rule("CRYPTO", r"0x[0-9a-fA-F]{40}", alone=0.9, needs=("0x",)),
        Rule("DATE_OF_BIRTH", rf"{BORN}[\s:\-]{{0,4}}(?i:is |was )?(?P<v>{DATE})", alone=0.9, check=date, digits=4),
        Rule(
            "PHONE_NUMBER",
            rf"\+{COUNTRY_CODE}(?:[ .\-/]{{0,2}}\(?\d{{1,5}}\)?){{2,7}}",
            alone=0.8,
            check=digit_count(8, 15),
            digits=8,
        ),
        Rule(
            "PHONE_NUMBER",
            r"(?:\(\+?\d{1,5}\)[ \-]?)?\d{1,5}(?:[ .\-/]\d{2,8}){1,5}",
            near=0.65,
            words=PHONE_WORDS,
            check=digit_count(7, 15),
            digits=7,
        ),
        # a leading zero, then groups: a trunk prefix; dates, ISBN and amounts do not look like that
        Rule("PHONE_NUMBER", r"00?[1-9]\d{0,3}(?:[ .\-/]\d{2,4}){2,4}", alone=0.6, check=digit_count(9, 11), digits=9),
        Rule(
            "PHONE_NUMBER",
            rf"(?i:{PHONE_WORDS})(?i:\s(?:number|no\.?|nr\.?|is|me|us|at|on|to)){{0,3}}[\s:.#\-]{{0,3}}(?P<v>\d{{7,15}})",
            alone=0.6,
            digits=7,
        ),
        Rule(
            "ZIP_CODE",
            r"(?i:zip|post(?:al)?[ \-]?code|plz|postleitzahl|code postal|pin[ \-]?code)(?i:[ \-]?code)?(?i: is)?[\s:]{0,3}"
            r"(?P<v>[A-Z0-9]{3,8}(?:[ \-](?:\d[A-Z0-9]{1,3}|[A-Z]{2}))?)",
            alone=0.7,
            check=digit_count(2, 10),
            digits=2,
        ),
        Rule(
            "BANK_ACCOUNT",
            r"(?i:account|a/c|acct|kontonummer|konto|compte)(?i:\s(?:number|no\.?|num|nr\.?|is)|\s?#){0,2}[\s:#.]{0,3}(?P<v>\d{6,17})",
            alone=0.6,
            digits=6,
        ),
        Rule(
            "PASSPORT",
            rf"{PASSPORT_LABEL}(?P<v>[A-Z0-9]{{6,9}})",
            alone=0.7,
            check=mixed,
            digits=4,
        ),
    ),
)
