"""Make the data of this example: payments, what customers replied when they were asked about them, and replies with their kind.

EVERYTHING HERE IS SYNTHETIC: made by the numbers below, from a seed. The same seed makes the same files. Replies carry a
signal, and it is noisy on purpose: some honest customers do not recognise a payment, some thieves answer themselves, many
people do not answer at all, and one label in twenty is wrong. The numbers are stated so that you can change them and see
what follows; they were not measured anywhere.

    python make_data.py FOLDER [--payments 6000] [--replies 1200] [--seed 7]
"""

from __future__ import annotations

import argparse
import csv
import json
import random
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

# How likely each kind of reply is, if the payment was fraud, and if it was honest. "" is no reply.
KINDS = {
    "fraud": {"denies": 0.42, "unsure": 0.20, "confirms": 0.08, "unrelated": 0.10, "": 0.20},
    "honest": {"denies": 0.05, "unsure": 0.13, "confirms": 0.42, "unrelated": 0.15, "": 0.25},
}
WRONG_LABELS = 0.05  # of the replies whose kind the adapter learns
BURSTS = 0.02  # share of payments with which a thief begins
TYPOS = 0.03  # of the letters

SHOPS = {"groceries": 40, "fuel": 55, "restaurant": 45, "clothes": 80, "electronics": 260, "travel": 420, "gift cards": 110}
HONEST = {"groceries": 30, "fuel": 14, "restaurant": 22, "clothes": 14, "electronics": 9, "travel": 6, "gift cards": 5}
FRAUD = {"groceries": 6, "fuel": 5, "restaurant": 5, "clothes": 14, "electronics": 32, "travel": 14, "gift cards": 24}

OPENINGS = ("", "", "hi, ", "hello, ", "good morning. ", "hey ", "dear bank, ", "to whom it may concern: ")
ENDINGS = ("", "", " thanks", " please help", " regards", " call me back please", " asap", " have a nice day")
THINGS = (
    "the {shop} one",
    "that {amount} payment",
    "a charge of {amount}",
    "the purchase on {day}",
    "{amount} at {shop}",
    "what you ask about",
)
WORDS = {
    "denies": (
        "i did not make {thing}",
        "{thing} was not me",
        "no idea who did {thing}, block my card",
        "never bought anything like {thing}",
        "my card is in my drawer, {thing} is not mine",
        "someone else must have made {thing}",
        "i want my money back for {thing}, it is theft",
        "stop it, {thing} is a scam",
    ),
    "unsure": (
        "i do not remember {thing}",
        "maybe my husband made {thing}, i have to ask",
        "could {thing} be the subscription?",
        "not sure about {thing}, can you tell me more",
        "which shop was {thing}?",
        "{thing} looks odd but we were shopping on {day}",
        "let me check my receipts for {thing}",
        "the name says nothing to me, what is {thing}",
    ),
    "confirms": (
        "yes {thing} was me",
        "all good, i made {thing}",
        "{thing} is fine, it was a present",
        "correct, i paid {thing} myself",
        "yes yes, {thing} is mine, please let it through",
        "that was my daughter with my permission, {thing} is ok",
        "i confirm {thing}",
        "of course i know {thing}, we are on holiday",
    ),
    "unrelated": (
        "how do i change my address?",
        "your app is slow since {day}",
        "can i raise my limit to {amount}",
        "when is my new card coming",
        "please stop sending me messages, last one on {day}",
        "what are the fees abroad for {amount}",
        "i moved house on {day}",
        "is the branch open on {day}",
    ),
}


def chosen(rng: random.Random, weights: dict[str, float]) -> str:
    """A key, as often as its weight says."""
    return rng.choices(list(weights), list(weights.values()))[0]


def reply(rng: random.Random, kind: str, shop: str, amount: float, day: datetime) -> str:
    """One reply of a kind, with typing errors."""
    facts = {"shop": shop, "amount": f"{amount:.2f}", "day": f"{day.day} {day:%B}".lower()}
    thing = rng.choice(THINGS).format(**facts)
    text = rng.choice(OPENINGS) + rng.choice(WORDS[kind]).format(thing=thing, **facts) + rng.choice(ENDINGS)
    letters = [letter if rng.random() > TYPOS or not letter.isalpha() else rng.choice(("", letter + letter)) for letter in text]
    return "".join(letters)


def payments(count: int, seed: int) -> list[dict[str, Any]]:
    """Rows in order of time; a thief takes two to five payments of a card within some hours."""
    rng = random.Random(seed)
    cards = [(f"c{number:03}", rng.lognormvariate(0, 0.4)) for number in range(max(20, count // 12))]
    now, rows, waiting = datetime(2026, 1, 1), [], []
    while len(rows) < count:
        now += timedelta(minutes=rng.expovariate(1 / 45))
        card, habit = rng.choice(cards)
        if rng.random() < BURSTS:
            for _ in range(rng.randint(2, 5)):
                waiting.append((now + timedelta(hours=rng.expovariate(1 / 5)), card, habit))
        due = sorted(one for one in waiting if one[0] <= now)
        waiting = [one for one in waiting if one[0] > now]
        rows += [payment(rng, *one, "fraud") for one in due] + [payment(rng, now, card, habit, "honest")]
    return sorted(rows[:count], key=lambda row: row["time"])


def payment(rng: random.Random, time: datetime, card: str, habit: float, truth: str) -> dict[str, Any]:
    """One row of the table, with what the customer wrote about it."""
    shop = chosen(rng, FRAUD if truth == "fraud" else HONEST)
    amount = SHOPS[shop] * habit * rng.lognormvariate(0.45 if truth == "fraud" else 0, 0.6)
    kind = chosen(rng, KINDS[truth])
    return {
        "time": time.isoformat(timespec="minutes"),
        "card": card,
        "amount": round(amount, 2),
        "shop": shop,
        "abroad": "yes" if rng.random() < (0.4 if truth == "fraud" else 0.08) else "no",
        "hour": time.hour,
        "message": reply(rng, kind, shop, amount, time) if kind else "",
        "truth": truth,
    }


def replies(count: int, seed: int) -> list[dict[str, str]]:
    """Replies of other customers with their kind, for the adapter. Nothing here says which payment was fraud."""
    rng = random.Random(f"replies {seed}")
    rows: dict[str, str] = {}
    while len(rows) < count:
        kind, shop = rng.choice(list(WORDS)), rng.choice(list(SHOPS))
        day = datetime(2025, 6, 1) + timedelta(days=rng.randint(0, 200))
        text = reply(rng, kind, shop, SHOPS[shop] * rng.lognormvariate(0, 0.6), day)
        rows.setdefault(text, rng.choice(list(WORDS)) if rng.random() < WRONG_LABELS else kind)
    return [{"text": text, "label": label} for text, label in rows.items()]


def write(folder: Path, *, payment_rows: int, reply_rows: int, seed: int) -> None:
    """``payments.csv`` and ``replies.jsonl``. A reply that stands in both is taken out of the second: the adapter must not know it."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = payments(payment_rows, seed)
    with (folder / "payments.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    known = {alone(row["message"]) for row in rows}
    own = [row for row in replies(reply_rows, seed) if alone(row["text"]) not in known]
    (folder / "replies.jsonl").write_text("".join(json.dumps(row) + "\n" for row in own), encoding="utf-8")


def alone(text: str) -> str:
    """Letters and digits only."""
    return " ".join("".join(letter if letter.isalnum() else " " for letter in text.casefold()).split())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Make the synthetic data of this example.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--payments", type=int, default=6000)
    parser.add_argument("--replies", type=int, default=1200)
    parser.add_argument("--seed", type=int, default=7)
    given = parser.parse_args()
    write(given.folder, payment_rows=given.payments, reply_rows=given.replies, seed=given.seed)
