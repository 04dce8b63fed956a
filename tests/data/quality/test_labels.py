"""Labels: how many, how uneven, which are meant to be one."""

import math

import pytest

from hatrack.data.quality.labels import LabelCounter, alike
from hatrack.data.quality.walk import walk
from hatrack.data.records import Example, Splits


def rows(**counts):
    return [Example(i, f"{label}{i}", "text", label=label) for label, count in counts.items() for i in range(count)]


def balance(train, validation=(), test=(), labels=None):
    counter = LabelCounter()
    walk(Splits(train, list(validation), list(test)), [counter])
    return counter.balance(labels or sorted({row.label for row in train}))


def test_labels_are_counted_in_each_split_largest_first():
    found = balance(rows(a=5, b=20), rows(b=2), rows(a=1))
    assert [(one.label, one.train, one.validation, one.test) for one in found.labels] == [("b", 20, 2, 0), ("a", 5, 0, 1)]
    assert found.ratio == 4
    assert found.missing == {"train": (), "validation": ("a",), "test": ("b",)}


def test_the_effective_number_of_even_labels_is_their_number_and_of_uneven_ones_less():
    assert balance(rows(a=10, b=10, c=10)).effective == pytest.approx(3)
    assert balance(rows(a=98, b=1, c=1)).effective == pytest.approx(math.exp(-0.98 * math.log(0.98) - 0.02 * math.log(0.01)))


def test_a_label_with_nine_rows_is_thin_and_one_with_ten_is_not():
    assert balance(rows(a=9, b=10, c=50)).thin == ("a",)


def test_a_label_that_nobody_taught_is_thin_and_missing_and_leaves_the_ratio_alone():
    found = balance(rows(a=20, b=10), labels=["a", "b", "c"])
    assert found.thin == ("c",)
    assert found.missing["train"] == ("c",)
    assert found.ratio == 2


@pytest.mark.parametrize(
    "pair",
    [
        ("Refund", "refunds"),
        ("card_payment", "card payment"),
        ("red", "Red "),
        ("résumé", "resume"),
        ("card_payment_fee", "card_payement_fee"),
        ("lost refund", "lost refnud"),
        ("delivery", "dellivery"),
    ],
)
def test_labels_that_are_meant_to_be_one_are_named(pair):
    assert alike(["something else", *pair]) == (tuple(sorted(pair)),)


@pytest.mark.parametrize(
    "pair",
    [
        ("typical", "atypical"),
        ("valid", "invalid"),
        ("grade 1", "grade 2"),
        ("stage_a", "stage_b"),
        ("pin", "pan"),
        ("pending_transfer", "declined_transfer"),
        ("card_payment", "cash_payment"),
        ("?", "!"),
    ],
)
def test_labels_that_are_two_are_left_alone(pair):
    assert alike(pair) == ()


def test_three_spellings_are_one_group():
    assert alike(["refund", "Refund", "refunds", "bill"]) == (("Refund", "refund", "refunds"),)
