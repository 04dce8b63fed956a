"""Reasons, changes, importance, dependence, fairness: by hand where the answer is known."""

from __future__ import annotations

import numpy as np
import pytest

from hatrack.tabular.explaining.counterfactual import counterfactuals
from hatrack.tabular.explaining.dependence import partial_dependence
from hatrack.tabular.explaining.importance import permutation_importance
from hatrack.tabular.explaining.reasons import explain_rows
from hatrack.tabular.fairness import fairness, warnings_of
from hatrack.tabular.fitting.fit import fit_table, prepare_table
from made_tables import as_table, fast, loan_rows


@pytest.fixture(scope="module")
def fitted():
    ground = prepare_table(as_table(loan_rows()), fast(model="histogram", protected=("sex",), fixed=("purpose",)))
    return ground, fit_table(ground).model


def test_reasons_are_one_for_each_column_and_add_up(fitted):
    ground, model = fitted
    for one in explain_rows(model, ground.test.take(range(10))):
        assert {reason.column for reason in one.reasons} == set(ground.kinds)
        assert one.start + sum(reason.contribution for reason in one.reasons) == pytest.approx(one.margin, abs=1e-9)
        sizes = [abs(reason.contribution) for reason in one.reasons]
        assert sizes == sorted(sizes, reverse=True)


def test_what_is_left_out_of_a_list_of_reasons_is_summed(fitted):
    ground, model = fitted
    (one,) = explain_rows(model, ground.test.take([0]))
    short = one.as_dict(2)
    assert len(short["reasons"]) == 2
    assert short["start"] + sum(r["contribution"] for r in short["reasons"]) + short["others"] == pytest.approx(short["margin"])


def test_changes_change_the_decision_and_leave_fixed_columns_alone(fitted):
    ground, model = fitted
    table = ground.test.take(range(12))
    before = model.predict(table).chosen
    found = counterfactuals(model, table)
    assert sum(map(bool, found)) > 6
    for place, sets in enumerate(found):
        for changes in sets:
            assert not {change.column for change in changes} & {"sex", "purpose"}
            row = table.rows()[place] | {change.column: change.instead for change in changes}
            assert model.predict(model.table([row])).chosen[0] != before[place]


def test_a_column_that_counts_is_important_and_one_that_does_not_is_not(fitted):
    ground, model = fitted
    truth = ground.truth(ground.test)
    found = permutation_importance(model, model.matrix(ground.test), lambda p: float((p.chosen == truth).mean()))
    falls = {one.column: one.fall for one in found}
    assert falls["amount"] > 0.05
    assert abs(falls["sex"]) < 0.02


def test_dependence_rises_where_the_truth_rises(fitted):
    ground, model = fitted
    points = partial_dependence(model, model.matrix(ground.test), "amount")
    scores = [score for _, score in points]
    assert scores[-1] > scores[0] + 0.2
    assert {label for label, _ in partial_dependence(model, model.matrix(ground.test), "purpose")} == {"boat", "car", "house", "travel"}
    assert partial_dependence(model, model.matrix(ground.test), "since") == []


def test_rates_by_group_by_hand():
    table = as_table([{"sex": sex} for sex in "ffffmmmm"])
    truth, chosen = np.array([1, 1, 0, 0, 1, 1, 0, 0]), np.array([1, 0, 0, 0, 1, 1, 1, 0])
    women, men = fairness(table, ["sex"], truth, chosen)
    assert (women.group, women.selected.value, women.missed.value, women.false_alarms.value) == ("f", 0.25, 0.5, 0.0)
    assert (men.group, men.selected.value, men.missed.value, men.false_alarms.value) == ("m", 0.75, 0.0, 0.5)
    assert women.selected.low < 0.25 < women.selected.high


def test_a_gap_that_chance_does_not_explain_is_warned_of_and_a_small_one_is_not():
    rows = as_table([{"sex": "f" if i % 2 else "m", "age": i % 60} for i in range(400)])
    truth = np.array([i // 2 % 2 for i in range(400)])
    unfair = np.array([1 if i % 2 else i // 2 % 2 for i in range(400)])  # every woman is chosen
    assert any("sex: selection rate 0.50 for m, 1.00 for f" in warning for warning in warnings_of(fairness(rows, ["sex"], truth, unfair)))
    assert warnings_of(fairness(rows, ["sex"], truth, truth)) == []
    assert len({rate.group for rate in fairness(rows, ["age"], truth, truth)}) == 4


def test_a_gap_that_chance_explains_is_not_warned_of():
    rows = as_table([{"sex": "f" if i < 30 else "m"} for i in range(60)])
    chosen = np.array([int(i % 30 < (24 if i < 30 else 27)) for i in range(60)])  # 0.80 (0.63 to 0.90) and 0.90 (0.74 to 0.97)
    assert warnings_of(fairness(rows, ["sex"], np.ones(60, int), chosen)) == []
    chosen = np.array([int(i % 30 < (21 if i < 30 else 27)) for i in range(60)])  # less than four fifths
    assert any("less than four fifths" in warning for warning in warnings_of(fairness(rows, ["sex"], np.ones(60, int), chosen)))
