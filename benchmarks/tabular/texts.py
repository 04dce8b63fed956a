"""Texts about predictions, right ones and ones with a planted fault, in many wordings: what the checker of words is measured on.

The wordings are written for this purpose and share no code with the checker or its template. They are synthetic.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from hatrack.tabular.explaining.reasons import Explanation, Reason
from hatrack.tabular.wording.facts import Facts

FAULTS = ("number", "probability", "swapped number", "invented reason", "other column", "direction", "value")
DOMAINS = {
    "credit": (
        ("good", "bad"),
        {
            "checking_status": ("<0 DM", "0-200 DM", "no account"),
            "duration_months": (6, 60),
            "credit_amount": (500, 15000),
            "savings": ("<100 DM", ">=1000 DM", "unknown"),
            "age": (19, 75),
            "purpose": ("radio/television", "education", "repairs"),
            "existing_credits": (5, 9),
        },
    ),
    "payments": (
        ("honest", "fraud"),
        {
            "amount": (20, 9000),
            "merchant_category": ("electronics", "groceries", "gift cards"),
            "hours_since_last_payment": (5, 400),
            "country": ("FR", "BR", "NG"),
            "spent_7d": (30, 8000),
            "card_age_days": (10, 3000),
        },
    ),
    "churn": (
        ("stays", "leaves"),
        {
            "contract_type": ("monthly", "yearly", "two-year"),
            "tenure_months": (5, 70),
            "support_calls": (5, 14),
            "monthlyCharges": (18, 120),
            "payment_method": ("direct debit", "invoice", "card"),
        },
    ),
}
INVENTED = (
    "postcode",
    "nationality",
    "tone of voice",
    "missing references",
    "recent divorce",
    "employer",
    "browsing history",
    "gut feeling",
)
UNITS = {"months": "months", "days": "days", "hours": "hours", "age": "years"}


@dataclass(frozen=True)
class Text:
    """One text, what it is about, and the fault that was planted (empty: none)."""

    words: str
    facts: Facts
    planted: str


def texts(count: int, seed: int, *, planted: bool) -> list[Text]:
    """``count`` texts, all right or each with one fault."""
    rng = random.Random(seed)
    found = []
    while len(found) < count:
        facts = _facts(rng)
        fault = FAULTS[len(found) % len(FAULTS)] if planted else ""
        words = _wrong(facts, fault, rng) if fault else _written(facts, rng)
        if words:
            found.append(Text(words, facts, fault))
    return found


def _facts(rng: random.Random) -> Facts:
    classes, columns = DOMAINS[rng.choice(sorted(DOMAINS))]
    sizes = sorted((rng.uniform(0.05, 1.5) for _ in columns), reverse=True)
    reasons = []
    for size, (column, domain) in zip(sizes, rng.sample(sorted(columns.items()), len(columns)), strict=True):
        value = str(rng.randint(*domain)) if isinstance(domain[0], int) else rng.choice(domain)
        reasons.append(Reason(column, value, round(size * rng.choice((-1, 1)), 4)))
    score = round(rng.uniform(0.05, 0.95), 4)
    start = round(rng.uniform(-2, 0), 4)
    margin = start + sum(reason.contribution for reason in reasons)
    label = classes[score >= 0.3]
    return Facts.of(Explanation(1, classes[1], label, score, 0.3, margin, start, "log odds", tuple(reasons)), classes, "outcome")


def _written(facts: Facts, rng: random.Random, *, score: float | None = None, reasons: list[tuple[str, str, bool]] | None = None) -> str:
    """One text: the score, then the reasons, singly or joined."""
    told = reasons or [(reason.column, reason.value, reason.contribution > 0) for reason in facts.reasons]
    sentences = [_opening(facts, facts.explanation.score if score is None else score, rng)]
    rising = [one for one in told if one[2]]
    if len(told) > 1 and len(rising) == len(told) and rng.random() < 0.4:
        names = " and ".join([", ".join(_named(one, rng) for one in told[:-1]), _named(told[-1], rng)])
        sentences.append(rng.choice((f"This is mainly because of {names}.", f"The main reasons are {names}.")))
    else:
        sentences += [_sentence(one, facts, rng) for one in told]
    if rng.random() < 0.3:
        sentences.append("Please contact us if you would like to talk about this.")
    return " ".join(sentences)


def _opening(facts: Facts, score: float, rng: random.Random) -> str:
    one = facts.explanation
    percent = rng.choice((f"{score:.0%}", f"{score:.1%}", f"{score * 100:.0f} %", f"{score * 100:.0f} percent"))
    return rng.choice(
        (
            f"The model gives a {percent} probability of {one.about}.",
            f"The probability of {one.about} is {score:.2f}, so the decision is {one.label}.",
            f"With a probability of {percent} for {one.about}, the case was decided as {one.label}.",
            f"We estimate the chance of {one.about} at {percent}.",
        )
    )


def _plain(column: str) -> str:
    parted = "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in column)
    return parted.replace("_", " ")


def _unit(column: str) -> str:
    return next((f" {unit}" for part, unit in UNITS.items() if part in column.split("_")), "")


def _named(one: tuple[str, str, bool], rng: random.Random) -> str:
    column, value, _ = one
    name = _plain(column)
    if not value.isdigit():
        return rng.choice((f"the {name} ({value})", f"a {name} of {value}", f"the {name}, which is {value}"))
    shown = rng.choice((value, f"{int(value):,}"))
    return rng.choice((f"the {name} of {shown}{_unit(column)}", f"a {name} of {shown}", f"the {name} ({shown})"))


def _sentence(one: tuple[str, str, bool], facts: Facts, rng: random.Random) -> str:
    about = rng.choice(
        (f"the probability of {facts.explanation.about}", "the risk score", "the score", f"the chance of {facts.explanation.about}")
    )
    verb = rng.choice(("raises", "increases", "pushes up", "adds to") if one[2] else ("lowers", "reduces", "decreases", "brings down"))
    named = _named(one, rng)
    if ", which is" in named:
        return f"{named[0].upper()}{named[1:]}, {verb} {about}."
    return rng.choice(
        (f"{named[0].upper()}{named[1:]} {verb} {about}.", f"Because of {named}, the score is {'higher' if one[2] else 'lower'}.")
    )


def _wrong(facts: Facts, fault: str, rng: random.Random) -> str | None:
    """A text with one fault; None where these facts have no place for it."""
    told = [(reason.column, reason.value, reason.contribution > 0) for reason in facts.reasons]
    numeric = [i for i, one in enumerate(told) if one[1].isdigit()]
    worded = [i for i, one in enumerate(told) if not one[1].isdigit()]
    if fault == "probability":
        wrong = facts.explanation.score + rng.choice((-1, 1)) * rng.uniform(0.08, 0.3)
        other = 1 - facts.explanation.score
        return _written(facts, rng, score=wrong) if 0.02 < wrong < 0.98 and abs(wrong - other) > 0.02 and abs(wrong - 0.3) > 0.02 else None
    if fault == "number":
        if not numeric:
            return None
        i = rng.choice(numeric)
        now = int(told[i][1])
        told[i] = (told[i][0], str(now + rng.choice((-1, 1, 2)) * max(2, now // 3)), told[i][2])
    elif fault == "swapped number":
        if len(numeric) < 2 or told[numeric[0]][1] == told[numeric[1]][1]:
            return None
        a, b = numeric[:2]
        told[a], told[b] = (told[a][0], told[b][1], told[a][2]), (told[b][0], told[a][1], told[b][2])
    elif fault == "invented reason":
        invented = rng.choice(INVENTED)
        more = rng.choice(
            (f"The {invented} also raises the score.", f"Another reason is the {invented}.", f"This is also because of the {invented}.")
        )
        return f"{_written(facts, rng)} {more}"
    elif fault == "other column":
        column = rng.choice(facts.other_columns)
        reason = next(reason for reason in facts.explanation.reasons if reason.column == column)
        told[rng.randrange(len(told))] = (column, reason.value, reason.contribution > 0)
    elif fault == "direction":
        i = rng.randrange(len(told))
        told[i] = (*told[i][:2], not told[i][2])
    else:
        if not worded:
            return None
        i = rng.choice(worded)
        domain = next(columns[told[i][0]] for _, columns in DOMAINS.values() if told[i][0] in columns)
        told[i] = (told[i][0], rng.choice([value for value in domain if value != told[i][1]]), told[i][2])
    if fault == "direction":  # joined reasons say no direction one by one
        return " ".join([_opening(facts, facts.explanation.score, rng), *(_sentence(one, facts, rng) for one in told)])
    return _written(facts, rng, reasons=told)
